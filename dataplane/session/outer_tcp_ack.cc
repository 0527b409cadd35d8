// Acks from the peer, and what they leave to repair: a scoreboard by SACK
// (RFC 6675), loss by time (RACK, RFC 8985), the forward point.
#include <algorithm>

#include "dataplane/session/outer_tcp.h"
#include "dataplane/session/tcp_rtt.h"

namespace lwt {
namespace {

// Segments looked at, or sent again, for one flow at a time: a bound on what a
// burst of loss may cost others. The rest follows a millisecond later.
constexpr int kMaxWalk = 256;
constexpr int kMaxRetransmits = 64;
// Holes that one SACK block may have to be walked over.
constexpr int kMaxSackWalk = 4096;
constexpr uint64_t kTickUs = 1000;
// Duplicate acks that mean loss (RFC 5681 §3.2).
constexpr uint64_t kDuplicateThreshold = 3;
// Recoveries for which a window for reordering that grew stays (RFC 8985 §6.2).
constexpr uint8_t kReorderRecoveries = 16;
// Reports by event are at least this far apart.
constexpr uint64_t kMinForwardUs = 2000;
// How long a stream goes on with bytes that nobody acknowledges.
constexpr uint64_t kStreamAgeUs = 60'000'000;

bool SentBefore(const SentSegment& segment, const OuterFlow& flow) {
  return segment.last_us < flow.rack_us ||
         (segment.last_us == flow.rack_us && segment.end() <= flow.rack_end);
}

}  // namespace

bool OuterTcp::TakeAck(OuterFlow& flow, const wire::TcpView& tcp,
                       uint64_t now_us) {
  const int64_t ack = flow.SendOffset(tcp.ack);
  const auto una = static_cast<int64_t>(flow.snd_una);
  if (ack > static_cast<int64_t>(flow.snd_nxt) ||
      ack + static_cast<int64_t>(std::min(flow.snd_max_window, flow.snd_una)) <
          una) {
    return false;  // RFC 5961 §5.2
  }
  if (ack < una) return true;
  const uint64_t window = uint64_t{tcp.window} << flow.peer_scale;
  const auto to = static_cast<uint64_t>(ack);
  flow.snd_right = std::max(flow.snd_right, to + window);
  flow.snd_max_window = std::max(flow.snd_max_window, window);
  rtt_from_us_ = 0;
  if (to > flow.snd_una) AdvanceUna(flow, to, now_us);
  if (flow.sack) {
    for (const wire::SackBlock& block : tcp.options.sack_blocks()) {
      const int64_t left = flow.SendOffset(block.left);
      const int64_t right = flow.SendOffset(block.right);
      // A D-SACK (RFC 2883): what was sent again had only been overtaken. Not
      // so a tail-loss probe, whose end is the end of all.
      if (right < ack) OnRepairInVain(flow);
      if (left <= static_cast<int64_t>(flow.snd_una) || right <= left ||
          right > static_cast<int64_t>(flow.snd_nxt)) {
        continue;
      }
      TakeSack(flow, static_cast<uint64_t>(left), static_cast<uint64_t>(right),
               now_us);
    }
  }
  if (rtt_from_us_ != 0) MeasureRtt(flow, now_us - rtt_from_us_);
  return true;
}

void OuterTcp::OnDelivered(OuterFlow& flow, const SentSegment& segment,
                           uint64_t now_us) {
  if (!segment.retransmitted) {
    rtt_from_us_ = std::max(rtt_from_us_, segment.last_us);
    if (segment.end() < flow.fack) flow.reordering = true;
  } else if (now_us - segment.last_us < flow.min_rtt_us) {
    return;  // the ack is for an earlier copy
  }
  if (!SentBefore(segment, flow)) {
    flow.rack_us = segment.last_us;
    flow.rack_end = segment.end();
    flow.rack_rtt_us = static_cast<uint32_t>(now_us - segment.last_us);
  }
}

void OuterTcp::OnRepairInVain(OuterFlow& flow) {
  flow.reordering = true;
  if (flow.reorder_grew) return;
  flow.reorder_grew = true;
  flow.reorder_recoveries = kReorderRecoveries;
  if (flow.reorder_quarters < UINT8_MAX) ++flow.reorder_quarters;
}

void OuterTcp::BeginRecovery(OuterFlow& flow) {
  if (flow.recovering) return;
  flow.recovering = true;
  flow.reorder_grew = false;
  flow.recovery_end = flow.SendSeq(flow.snd_nxt);
}

// How much later than its successors a segment may come.
uint64_t OuterTcp::ReorderWindow(const OuterFlow& flow) const {
  const uint64_t quarter = std::max<uint64_t>(flow.min_rtt_us / 4, kTickUs);
  return std::min(flow.reorder_quarters * quarter,
                  std::max<uint64_t>(flow.srtt_us, kTickUs));
}

void OuterTcp::PopHead(OuterFlow& flow) {
  const SentArena::Position next = arena_.At(flow.head).next;
  if (flow.below_fack == flow.head) flow.below_fack = SentArena::kNone;
  arena_.LetGo(flow.head);
  flow.head = next;
  if (next == SentArena::kNone) flow.tail = SentArena::kNone;
}

void OuterTcp::AdvanceUna(OuterFlow& flow, uint64_t ack, uint64_t now_us) {
  while (flow.head != SentArena::kNone) {
    const SentSegment& segment = arena_.At(flow.head);
    if (segment.end() > ack) break;
    OnDelivered(flow, segment, now_us);
    PopHead(flow);
  }
  flow.snd_una = ack;
  if (flow.spliced) Raise(flow, EventType::kStreamRoom);
  flow.backoff = 0;
  flow.probed = false;
  if (flow.recovering && flow.SendSeq(ack) - flow.recovery_end >= 0) {
    flow.recovering = false;
    if (flow.reorder_recoveries != 0 && --flow.reorder_recoveries == 0) {
      flow.reorder_quarters = 1;
    }
  }
  if (flow.fin_sent && ack == flow.snd_nxt) {
    flow.fin_acked = true;
    CheckFin(flow, now_us);
  }
  if (ack >= flow.forward) flow.forward_at_us = OuterFlow::kNever;
  const bool waiting =
      flow.head != SentArena::kNone || (flow.fin_sent && !flow.fin_acked);
  flow.rto_at_us = waiting ? now_us + flow.rto_us : OuterFlow::kNever;
  flow.probe_at_us = OuterFlow::kNever;
  ArmProbe(flow, now_us);
}

// Takes the segments in [left, right) off the list. Above `fack` the walk
// begins at the last segment below it, so it costs what is new.
void OuterTcp::TakeSack(OuterFlow& flow, uint64_t left, uint64_t right,
                        uint64_t now_us) {
  SentArena::Position before =
      left >= flow.fack ? flow.below_fack : SentArena::kNone;
  SentArena::Position at =
      before == SentArena::kNone ? flow.head : arena_.At(before).next;
  int steps = 0;
  while (at != SentArena::kNone && arena_.At(at).offset < right) {
    if (++steps > kMaxSackWalk) return;
    const SentSegment& segment = arena_.At(at);
    const SentArena::Position next = segment.next;
    if (segment.offset < left || segment.end() > right) {
      before = at;
      at = next;
      continue;
    }
    OnDelivered(flow, segment, now_us);
    (before == SentArena::kNone ? flow.head : arena_.At(before).next) = next;
    if (flow.tail == at) flow.tail = before;
    if (flow.below_fack == at) flow.below_fack = before;
    arena_.LetGo(at);
    at = next;
  }
  if (right > flow.fack) {
    flow.fack = right;
    flow.below_fack = before;
  }
}

void OuterTcp::MoveForward(OuterFlow& flow, uint64_t to, uint64_t now_us) {
  while (flow.head != SentArena::kNone && arena_.At(flow.head).end() <= to) {
    PopHead(flow);
    ++flow.segments_given_up;
    flow.broken = flow.spliced;
  }
  flow.forward = std::max(flow.forward, to);
  if (flow.forward <= flow.snd_una) return;
  const uint64_t gap = std::max<uint64_t>(kMinForwardUs, flow.srtt_us / 4);
  flow.forward_at_us = std::min(flow.forward_at_us,
                                std::max(now_us, flow.forward_told_us + gap));
  Touch(flow);
  Rearm(flow);
}

// The newest segment is never given up by age, so that there is always one to
// learn by whether the path is back.
void OuterTcp::GiveUpOld(OuterFlow& flow, uint64_t now_us) {
  const uint64_t record_age =
      config_.forward_age_us + 4 * uint64_t{flow.rto_us};
  while (flow.head != flow.tail) {
    const SentSegment& head = arena_.At(flow.head);
    const bool stream = head.end() <= flow.stream_end;
    if (now_us - head.first_us <= (stream ? kStreamAgeUs : record_age)) return;
    MoveForward(flow, head.end(), now_us);
  }
}

void OuterTcp::RetransmitLost(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  flow.reorder_at_us = OuterFlow::kNever;
  const uint64_t limit = std::max(flow.fack, flow.rto_high);
  GiveUpOld(flow, now_us);
  const uint64_t patience = flow.rack_rtt_us + ReorderWindow(flow);
  int sent = 0;
  int steps = 0;
  for (SentArena::Position at = flow.head; at != SentArena::kNone;) {
    const SentSegment& segment = arena_.At(at);
    if (segment.offset >= limit) return;
    if (++steps > kMaxWalk || sent >= kMaxRetransmits || out.full()) {
      flow.reorder_at_us = now_us + kTickUs;
      return;
    }
    const SentArena::Position next = segment.next;
    if (SentBefore(segment, flow)) {
      const bool certain =
          !flow.reordering && !segment.retransmitted &&
          flow.fack >= segment.end() + kDuplicateThreshold * flow.max_payload;
      const uint64_t due = certain ? now_us : segment.last_us + patience;
      if (due > now_us) {
        flow.reorder_at_us = std::min(flow.reorder_at_us, due);
      } else if (!SendsAgain(flow, at)) {
        if (at == flow.head) MoveForward(flow, segment.end(), now_us);
      } else if (Retransmit(flow, at, now_us, out)) {
        BeginRecovery(flow);
        ++sent;
      }
    }
    at = next;
  }
}

}  // namespace lwt
