// Acks from the peer: a scoreboard by SACK (RFC 6675), round trips, what
// repairs are earned, the forward point.
#include <algorithm>

#include "dataplane/flow/outer_tcp.h"
#include "dataplane/flow/tcp_rtt.h"

namespace lwt {
namespace {

// Segments of a stream that one SACK block is walked over once more.
constexpr int kMaxSackedWalk = 64;
// Acks in a row, over a round trip, that make it certain that the peer has more
// than was sent.
constexpr uint8_t kSurelyAhead = 3;
// Of the window, behind bytes that count as sent by such acks.
constexpr uint64_t kRoomAhead = 8192;
// Segments in flight that may stand in a queue of our making.
constexpr uint64_t kLoad = 3;
// Recoveries for which a window for reordering that grew stays (RFC 8985 §6.2).
constexpr uint8_t kReorderRecoveries = 16;
// Reports by event are at least this far apart.
constexpr uint64_t kMinForwardUs = 2000;

// Whether an ack that passes the segment was made by an earlier copy of it than
// the last: it echoes the timestamp of what it was made by (RFC 7323 §4.3).
bool IsOfEarlierCopy(const OuterFlow& flow, const SentSegment& segment,
                     const wire::TcpView& ack) {
  const auto& stamps = ack.options.timestamps;
  return flow.timestamps && stamps.has_value() &&
         static_cast<int32_t>(stamps->echo - flow.Stamp(segment.last_us)) < 0;
}

// RACK (RFC 8985 §6.2 step 2): of what was delivered, what was sent last.
void NoteLatest(OuterFlow& flow, uint64_t sent_us, uint64_t end,
                uint64_t now_us) {
  if (flow.SentBefore(sent_us, end)) return;
  flow.rack_us = sent_us;
  flow.rack_end = end;
  flow.rack_rtt_us = static_cast<uint32_t>(now_us - sent_us);
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
  flow.ahead = 0;
  if (ack < una) return true;
  // Nobody's edge moves back (RFC 9293 §3.8.6.2 "shrinking the window"), so
  // that a forged window of nothing stops nothing; nor is any larger than ours.
  const uint64_t window = std::min<uint64_t>(
      uint64_t{tcp.window} << flow.peer_scale, OuterFlow::kMaxWindow);
  const auto to = static_cast<uint64_t>(ack);
  if (to + window > flow.snd_right) {
    flow.snd_right = to + window;
    if (flow.spliced) Raise(flow, EventType::kStreamRoom);
  }
  flow.snd_max_window = std::max(flow.snd_max_window, window);
  rtt_from_us_ = 0;
  new_hole_ = false;
  if (to > flow.snd_una) AdvanceUna(flow, to, tcp, now_us);
  if (flow.sack && tcp.options.sack_count != 0) TakeBlocks(flow, tcp, now_us);
  if (rtt_from_us_ != 0) TakeRoundTrip(flow, now_us - rtt_from_us_, now_us);
  return true;
}

// An ack of more than was sent. Somebody may have filled the peer's next places
// before us; a kernel's stream is torn then, and neither side takes what the
// other sends any more. Here only places are lost, since the tag of a record
// judges: the bytes in between count as sent once the peer has held to it over
// a round trip, with no word to the contrary. They are not acknowledged by
// that: the peer's next ack does it, and where that was not the peer, the
// forward point passes them, for which the window it offered has to leave room.
// True where the payload of such a segment may be opened.
bool OuterTcp::FollowAck(OuterFlow& flow, const wire::TcpView& tcp,
                         uint64_t now_us) {
  const int64_t ack = flow.SendOffset(tcp.ack);
  const int64_t over = ack - static_cast<int64_t>(flow.snd_nxt);
  if (!flow.proven() || tcp.payload.empty() || over <= 0 ||
      over > int64_t{OuterFlow::kMaxWindow}) {
    return false;
  }
  if (flow.ahead == 0) flow.ahead_from_us = now_us;
  if (flow.ahead < kSurelyAhead) ++flow.ahead;
  const bool sure =
      flow.ahead == kSurelyAhead && now_us - flow.ahead_from_us >= flow.srtt_us;
  const auto to = static_cast<uint64_t>(ack);
  if (sure && !flow.fin_wanted && to + kRoomAhead <= flow.snd_right) {
    flow.ahead = 0;
    flow.snd_nxt = to;
    flow.rto_at_us = std::min(flow.rto_at_us, now_us + flow.rto_us);
    Rearm(flow);
  }
  return true;
}

void OuterTcp::TakeRoundTrip(OuterFlow& flow, uint64_t rtt_us,
                             uint64_t now_us) {
  // Much shorter than all before is mostly an ack of what has not arrived; a
  // way that has become so short shows it again.
  const bool credible = rtt_us >= flow.min_rtt_us / 2;
  MeasureRtt(flow, rtt_us);
  const uint64_t in_flight = flow.snd_nxt - flow.snd_una;
  if (credible) {
    flow.line.OnRoundTrip(
        static_cast<uint32_t>(std::clamp<uint64_t>(rtt_us, 1, kMaxRtoUs)),
        in_flight >= kLoad * flow.max_payload, now_us);
    if (new_hole_) flow.line.OnHole(static_cast<uint32_t>(rtt_us), now_us);
  }
  if (flow.line.full() != flow.line_told_full && flow.proven()) {
    flow.line_told_full = flow.line.full();
    Raise(flow, EventType::kLineChanged);
  }
}

void OuterTcp::TakeBlocks(OuterFlow& flow, const wire::TcpView& tcp,
                          uint64_t now_us) {
  const int64_t ack = flow.SendOffset(tcp.ack);
  for (const wire::SackBlock& block : tcp.options.sack_blocks()) {
    const int64_t left = flow.SendOffset(block.left);
    const int64_t right = flow.SendOffset(block.right);
    // A D-SACK (RFC 2883): what was sent again had only been overtaken. Not
    // so a tail-loss probe, whose end is the end of all.
    if (right < ack) OnRepairInVain(flow, now_us);
    if (left <= static_cast<int64_t>(flow.snd_una) || right <= left ||
        right > static_cast<int64_t>(flow.snd_nxt)) {
      continue;
    }
    TakeSack(flow, static_cast<uint64_t>(left), static_cast<uint64_t>(right),
             now_us);
  }
}

// A SACK told of the segment. Of a repair it does not say which copy it is of:
// above a hole the peer echoes what came below it (RFC 7323 §4.3). So it tells
// of no round trip, and of the others less, see IsOvertaken.
void OuterTcp::OnSacked(OuterFlow& flow, const SentSegment& segment,
                        uint64_t now_us) {
  EarnRepairs(flow, segment.size);
  if (segment.size >= flow.proven_payload && !segment.in_parts) {
    NoteProven(flow, segment.size, segment.last_us);
  }
  if (segment.retransmitted) {
    if (now_us - segment.last_us >= flow.min_rtt_us) {
      flow.repair_us = std::max(flow.repair_us, segment.last_us);
    }
    return;
  }
  rtt_from_us_ = std::max(rtt_from_us_, segment.last_us);
  if (segment.end() < flow.fack) flow.reordering = true;
  NoteLatest(flow, segment.last_us, segment.end(), now_us);
}

void OuterTcp::OnRepairInVain(OuterFlow& flow, uint64_t now_us) {
  if (flow.segments_retransmitted == 0) return;  // there was no repair
  if (now_us - flow.credit_halved_us >= flow.srtt_us) {
    flow.credit_halved_us = now_us;
    flow.repair_credit /= 2;
  }
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

// Takes the segments that end below `ack` off the list. Those sent once were
// sent in order, so the last of them tells all but whether there was a hole
// before the first. Of those sent again only what was made by the last copy
// counts (RFC 8985 §6.2 step 2): a round trip too short, of a segment sent just
// now, would make all that is in flight look lost.
void OuterTcp::TakeAcked(OuterFlow& flow, uint64_t ack,
                         const wire::TcpView& tcp, uint64_t now_us) {
  uint64_t fresh_end = 0;
  uint64_t fresh_us = 0;
  uint16_t largest = 0;
  uint32_t earned = 0;
  while (!flow.sent.empty()) {
    const SentSegment& segment = arena_.At(flow.sent.head());
    const uint64_t end = segment.end();
    if (end > ack) break;
    if (segment.retransmitted) {
      if (!segment.in_parts && segment.size >= flow.proven_payload) {
        NoteProven(flow, segment.size, segment.last_us);
      }
      if (!segment.sacked && now_us - segment.last_us >= flow.min_rtt_us &&
          !IsOfEarlierCopy(flow, segment, tcp)) {
        NoteLatest(flow, segment.last_us, end, now_us);
      }
    } else if (!segment.sacked) {
      if (fresh_end == 0 && end < flow.fack) flow.reordering = true;
      fresh_end = end;
      fresh_us = segment.last_us;
      largest = std::max(largest, segment.size);
    }
    if (!segment.sacked) earned += segment.size;
    flow.sent.RemoveHead(arena_);
  }
  EarnRepairs(flow, earned);
  if (fresh_end == 0) return;
  if (largest >= flow.proven_payload) NoteProven(flow, largest, fresh_us);
  rtt_from_us_ = std::max(rtt_from_us_, fresh_us);
  NoteLatest(flow, fresh_us, fresh_end, now_us);
}

// Apart from TakeAck, which every segment comes to and which mostly has nothing
// for it: the compiler would make room for both.
[[gnu::noinline]] void OuterTcp::AdvanceUna(OuterFlow& flow, uint64_t ack,
                                            const wire::TcpView& tcp,
                                            uint64_t now_us) {
  TakeAcked(flow, ack, tcp, now_us);
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
  const bool waits = Awaits(flow) || flow.starved;
  flow.rto_at_us = waits ? now_us + flow.rto_us : OuterFlow::kNever;
  flow.probe_at_us = OuterFlow::kNever;
  ArmProbe(flow, now_us);
}

// Where the kept bytes begin, or all ends but the FIN.
uint64_t OuterTcp::KeptFrom(const OuterFlow& flow) const {
  if (!flow.sent.empty()) return arena_.At(flow.sent.head()).offset;
  return flow.snd_nxt - (flow.fin_sent ? 1 : 0);
}

// Whether an ack is to come, of what is kept or of what a SACK told of before.
bool OuterTcp::Awaits(const OuterFlow& flow) const {
  return !flow.sent.empty() || (flow.fin_sent && !flow.fin_acked) ||
         KeptFrom(flow) > std::max(flow.snd_una, flow.forward);
}

// Counts the segments from `at` on that end below `right` as arrived.
void OuterTcp::Deliver(OuterFlow& flow, SentArena::Position at, uint64_t right,
                       uint64_t now_us) {
  int walked = 0;
  while (at != SentArena::kNone && arena_.At(at).end() <= right) {
    SentSegment& segment = arena_.At(at);
    const SentArena::Position next = segment.next;
    if (segment.sacked) {
      ++totals_.sack_steps;
      if (++walked == kMaxSackedWalk) return;
    } else {
      OnSacked(flow, segment, now_us);
      // The bytes of a stream may not be done without, should the SACK have
      // been a lie.
      segment.sacked = segment.end() <= flow.stream_end;
      if (segment.sacked) {
        flow.sent.StopWaiting(arena_, at);
      } else {
        flow.sent.Remove(arena_, at);
      }
    }
    at = next;
  }
}

// Takes the segments in [left, right) off the list. The block at the top, which
// nearly every ACK tells once more, costs what it has grown by.
void OuterTcp::TakeSack(OuterFlow& flow, uint64_t left, uint64_t right,
                        uint64_t now_us) {
  const bool joins = left <= flow.fack;
  if (joins && left < flow.fack_left) {
    const uint64_t end = right < flow.fack_left ? right : flow.fack;
    Deliver(flow, flow.sent.Find(arena_, left, totals_.sack_steps), end,
            now_us);
    if (right >= flow.fack_left) flow.fack_left = left;
  }
  if (right <= flow.fack) return;
  SentArena::Position at =
      flow.sent.FindAbove(arena_, std::max(left, flow.fack));
  // A segment that the old edge cut in two.
  const SentArena::Position cut = flow.sent.last_hole();
  if (joins && cut != SentArena::kNone && arena_.At(cut).offset >= left &&
      arena_.At(cut).end() > flow.fack) {
    at = cut;
  }
  Deliver(flow, at, right, now_us);
  flow.sent.FindAbove(arena_, right);
  if (!joins) {
    flow.fack_left = left;
    new_hole_ = true;
  }
  flow.fack = right;
}

void OuterTcp::MoveForward(OuterFlow& flow, uint64_t to, uint64_t now_us) {
  while (!flow.sent.empty() && arena_.At(flow.sent.head()).end() <= to) {
    flow.sent.RemoveHead(arena_);
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

}  // namespace lwt
