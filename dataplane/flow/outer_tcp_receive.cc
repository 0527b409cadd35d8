// Segments of an open flow: the checks of RFC 9293 §3.10.7.4, RFC 5961 and
// RFC 7323, and what has arrived.
#include <algorithm>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

constexpr uint64_t kFirstWindow = 64 * 1024;
// Bytes per round trip are measured over at least this, so that a path of
// microseconds does not keep the window at what one burst brings.
constexpr uint64_t kMinMeasureUs = 4000;
// Linux lets a timestamp go back by one (TCP_PAWS_WINDOW).
constexpr int32_t kTimestampSlack = 1;
// What a peer's clock of a millisecond can tell apart (RFC 7323 §5.5).
constexpr uint64_t kTimestampLifeUs = uint64_t{24} * 24 * 3600 * 1'000'000;
// Segments in a row that a timestamp may refuse on a flow that is proven or our
// own.
constexpr uint8_t kMostRefused = 3;
// Ranges that one ACK can tell beside timestamps.
constexpr size_t kRangesPerAck = 3;
// Of the segments above a hole the first are told of at once, so that the peer
// counts its duplicate acks; later ones share an ACK within a twentieth of a
// round trip, as Linux does since 4.18.
constexpr uint8_t kPromptDuplicateAcks = 3;
constexpr uint8_t kMaxCompressedAcks = 44;
constexpr uint64_t kMaxCompressUs = 1000;

}  // namespace

// How far a segment's timestamp lies beyond the latest that counts. None where
// it has none: some box on the way may have cut it off, and as with Linux that
// refuses nothing.
std::optional<int32_t> OuterTcp::StampStep(const OuterFlow& flow,
                                           const wire::TcpView& tcp) {
  if (!flow.timestamps || !tcp.options.timestamps.has_value()) {
    return std::nullopt;
  }
  return static_cast<int32_t>(tcp.options.timestamps->value - flow.ts_recent);
}

// Whether a segment is older than what was seen (RFC 7323 §5.3).
bool OuterTcp::IsOldStamp(const OuterFlow& flow, std::optional<int32_t> step,
                          uint64_t now_us) {
  return step.has_value() && *step < -kTimestampSlack &&
         now_us - flow.ts_recent_us < kTimestampLifeUs;
}

// Who sees the flow can tell it a timestamp of next week, and all that the peer
// sends is old: a kernel's connection is over then. But where segment after
// segment of the window is older, and none is not, it was not the peer's.
bool OuterTcp::RefusesStamp(OuterFlow& flow, int64_t begin, int64_t size) {
  // A stranger meets a kernel; who opened the flow knows whom it called.
  if (flow.inbound && !flow.proven()) return true;
  if (begin > static_cast<int64_t>(flow.rcv_right) ||
      begin + size < static_cast<int64_t>(flow.rcv_acked)) {
    return true;
  }
  if (flow.ts_refused == kMostRefused) return false;
  ++flow.ts_refused;
  return true;
}

// Of a segment that lies in the window and whose ack is in order: it is echoed
// where it covers what was acknowledged last (RFC 7323 §4.3).
void OuterTcp::TakeTimestamp(OuterFlow& flow, std::optional<int32_t> step,
                             int64_t begin, uint64_t now_us) {
  if (!step.has_value()) return;
  const bool covers = begin <= static_cast<int64_t>(flow.rcv_acked);
  // Believed, but behind a hole: the next one is too.
  if (*step < -kTimestampSlack && !covers) return;
  flow.ts_refused = 0;
  if (!covers || (*step < 0 && *step >= -kTimestampSlack)) return;
  flow.ts_recent += static_cast<uint32_t>(*step);
  flow.ts_recent_us = now_us;
}

bool OuterTcp::AnsweredLately(OuterFlow& flow, uint64_t now_us) {
  if (flow.challenged_us != 0 && now_us - flow.challenged_us < kInvalidRateUs) {
    return true;
  }
  flow.challenged_us = now_us;
  return false;
}

// RFC 5961 §7 asks for a bound. A bound over all flows would tell a stranger of
// the traffic of others (CVE-2016-5696), so each flow has its own.
void OuterTcp::ChallengeAck(OuterFlow& flow, const Input& in) {
  if (AnsweredLately(flow, in.now_us)) return;
  ++totals_.challenge_acks;
  SendAck(flow, in.now_us, in.out);
}

// An ACK for what is not taken: at once and always where there is payload,
// which no ACK can answer in turn, else at a bounded pace.
OuterTcp::Received OuterTcp::RefuseSegment(OuterFlow& flow, const Input& in,
                                           int64_t begin, DropReason reason) {
  const wire::TcpView& tcp = in.frame.tcp;
  const int64_t end = begin + static_cast<int64_t>(tcp.payload.size()) +
                      (tcp.Has(wire::kFin) ? 1 : 0);
  if (end == begin) {
    ChallengeAck(flow, in);
  } else {
    const auto next = static_cast<int64_t>(flow.rcv_nxt);
    if (begin < next) NoteDuplicate(flow, begin, std::min(end, next));
    ++totals_.challenge_acks;
    SendAck(flow, in.now_us, in.out);
  }
  return DropOf(flow, reason);
}

// The next ACK tells of [begin, end), which came more than once. Several that
// touch are told as one; of others the first.
void OuterTcp::NoteDuplicate(OuterFlow& flow, int64_t begin, int64_t end) {
  const wire::TcpSeq left = flow.ReceiveSeq(static_cast<uint64_t>(begin));
  const wire::TcpSeq right = flow.ReceiveSeq(static_cast<uint64_t>(end));
  if (!flow.dsack) {
    flow.dsack = flow.sack;
    flow.dsack_left = left;
    flow.dsack_right = right;
    return;
  }
  if (left - flow.dsack_right > 0 || flow.dsack_left - right > 0) return;
  if (left - flow.dsack_left < 0) flow.dsack_left = left;
  if (right - flow.dsack_right > 0) flow.dsack_right = right;
}

// RFC 5961 §3.2, but that even an exact RST is only a hint to a proven flow.
OuterTcp::Received OuterTcp::ReceiveReset(OuterFlow& flow, const Input& in) {
  const int64_t at = flow.ReceiveOffset(in.frame.tcp.seq);
  if (at < static_cast<int64_t>(flow.rcv_acked) ||
      at > static_cast<int64_t>(flow.rcv_right)) {
    return DropOf(flow, DropReason::kOutOfWindow);
  }
  if (at != static_cast<int64_t>(flow.rcv_nxt)) {
    ChallengeAck(flow, in);
    return DropOf(flow, DropReason::kOutOfWindow);
  }
  const Received received = DropOf(flow, DropReason::kResetHint);
  if (flow.proven() || !flow.inbound) {
    Raise(flow, EventType::kResetHint);
  } else {
    Die(flow, EventType::kReleased);
  }
  return received;
}

// In line: nearly every segment of a busy flow comes here.
[[gnu::always_inline]] inline OuterTcp::Received OuterTcp::TakePayload(
    OuterFlow& flow, const Input& in, uint64_t begin, bool fin) {
  const wire::TcpView& tcp = in.frame.tcp;
  if (flow.fin_received) return DropOf(flow, DropReason::kOutOfWindow);
  Received received = Consumed(flow);
  received.fin = fin;
  received.stream_offset = begin;
  received.payload = tcp.payload;
  // A handshake is one stream: what waits behind a hole comes up once.
  const bool again =
      !flow.proven() && flow.ranges.Holds(begin, begin + tcp.payload.size());
  if (tcp.payload.empty() || again) {
    Accept(received, in.now_us, in.out);
  } else {
    received.verdict = Verdict::kPayload;
  }
  return received;
}

OuterTcp::Received OuterTcp::ReceiveOpen(OuterFlow& flow, const Input& in) {
  const wire::TcpView& tcp = in.frame.tcp;
  if (tcp.Has(wire::kRst)) return ReceiveReset(flow, in);
  if (tcp.Has(wire::kSyn)) {
    // RFC 5961 §4.2; also the repeated SYN-ACK whose ACK got lost.
    ChallengeAck(flow, in);
    return DropOf(flow, DropReason::kOutOfWindow);
  }
  if (!tcp.Has(wire::kAck)) return DropOf(flow, DropReason::kMalformed);
  const int64_t begin = flow.ReceiveOffset(tcp.seq);
  const auto next = static_cast<int64_t>(flow.rcv_nxt);
  const int64_t size =
      static_cast<int64_t>(tcp.payload.size()) + (tcp.Has(wire::kFin) ? 1 : 0);
  const std::optional<int32_t> step = StampStep(flow, tcp);
  if (IsOldStamp(flow, step, in.now_us)) {
    // An ACK that says nothing new was overtaken, no more (RFC 7323 §5.3 has
    // Linux's tcp_disordered_ack for an exception).
    if (size == 0 && begin == next && tcp.ack == flow.SendSeq(flow.snd_una)) {
      return DropOf(flow, DropReason::kOldTimestamp);
    }
    if (RefusesStamp(flow, begin, size)) {
      return RefuseSegment(flow, in, begin, DropReason::kOldTimestamp);
    }
  }
  if (begin > static_cast<int64_t>(flow.rcv_right) ||
      (size > 0 && begin == static_cast<int64_t>(flow.rcv_right)) ||
      begin + OuterFlow::kMaxWindow < next) {
    return RefuseSegment(flow, in, begin, DropReason::kOutOfWindow);
  }
  // Below the window no field of the header counts (RFC 9293 §3.10.7.4).
  if (begin + size < static_cast<int64_t>(flow.rcv_acked)) {
    return ReceiveOld(flow, in, begin, size);
  }
  if (!TakeAck(flow, tcp, in.now_us)) {
    ChallengeAck(flow, in);
    if (begin < 0 || !FollowAck(flow, tcp, in.now_us)) {
      return DropOf(flow, DropReason::kBadAck);
    }
    Touch(flow);
    return TakePayload(flow, in, static_cast<uint64_t>(begin), /*fin=*/false);
  }
  TakeTimestamp(flow, step, begin, in.now_us);
  if (begin + size <= next) return ReceiveOld(flow, in, begin, size);
  Touch(flow);
  if (begin < 0) return DropOf(flow, DropReason::kOutOfWindow);
  return TakePayload(flow, in, static_cast<uint64_t>(begin),
                     tcp.Has(wire::kFin));
}

// What has arrived before; or a keepalive probe (RFC 9293 §3.8.4) and what
// looks like one.
OuterTcp::Received OuterTcp::ReceiveOld(OuterFlow& flow, const Input& in,
                                        int64_t begin, int64_t size) {
  Touch(flow);
  if (size > 0) {
    flow.ack_now = true;
    NoteDuplicate(flow, begin, begin + size);
  } else if (begin < static_cast<int64_t>(flow.rcv_acked) &&
             !AnsweredLately(flow, in.now_us)) {
    flow.ack_now = true;
  }
  // Bytes may have arrived before without being the peer's: a forger needs no
  // key to fill a place in the stream. So the records of a proven flow are
  // handed up again, and the replay window knows the true ones.
  if (!flow.proven() || in.frame.tcp.payload.empty() || begin < 0) {
    return Consumed(flow);
  }
  return TakePayload(flow, in, static_cast<uint64_t>(begin), /*fin=*/false);
}

void OuterTcp::Accept(const Received& received, uint64_t now_us, TxBatch& out) {
  OuterFlow* flow = table_.Find(received.flow);
  if (flow == nullptr || flow->state != FlowState::kOpen) return;
  const uint64_t begin = received.stream_offset;
  const uint64_t end = begin + received.payload.size();
  Touch(*flow);
  if (end > flow->rcv_fin && flow->proven()) flow->rcv_fin = OuterFlow::kNever;
  if (received.fin && end >= flow->rcv_high &&
      (flow->rcv_fin == OuterFlow::kNever || flow->proven())) {
    flow->rcv_fin = end;
  }
  if (!received.payload.empty()) {
    ++flow->segments_received;
    flow->bytes_received += received.payload.size();
    OnArrived(*flow, begin, end, now_us, out);
  }
  if (flow->rcv_nxt == flow->rcv_fin || flow->fin_acked) {
    CheckFin(*flow, now_us);
  }
  if (received.fin && flow->rcv_nxt == flow->rcv_fin) {
    Raise(*flow, EventType::kResetHint);
  }
}

// Everything below `base` counts as arrived.
void OuterTcp::Absorb(OuterFlow& flow, uint64_t base) {
  flow.rcv_nxt = flow.ranges.Absorb(base);
  flow.rcv_high = std::max(flow.rcv_high, flow.rcv_nxt);
  if (flow.ranges.is_large() && flow.ranges.empty()) {
    range_places_.GiveBack(flow.ranges.Shrink());
  }
}

void OuterTcp::OweDuplicateAck(OuterFlow& flow, uint64_t now_us) {
  if (flow.hole_at != flow.rcv_nxt) {
    flow.hole_at = flow.rcv_nxt;
    flow.prompt_acks = 0;
  }
  const bool prompt = flow.prompt_acks < kPromptDuplicateAcks;
  if (prompt) ++flow.prompt_acks;
  if (prompt || ++flow.compressed_acks >= kMaxCompressedAcks) {
    flow.ack_now = true;
    return;
  }
  const uint64_t delay = std::min<uint64_t>(kMaxCompressUs, flow.srtt_us / 20);
  flow.ack_at_us = std::min(flow.ack_at_us, now_us + delay);
}

void OuterTcp::OnArrived(OuterFlow& flow, uint64_t begin, uint64_t end,
                         uint64_t now_us, TxBatch& out) {
  if (end <= flow.rcv_nxt) return;
  GrowWindow(flow, end - std::max(begin, flow.rcv_nxt), now_us);
  if (begin <= flow.rcv_nxt) {
    if (begin < flow.rcv_nxt) {
      NoteDuplicate(flow, static_cast<int64_t>(begin),
                    static_cast<int64_t>(flow.rcv_nxt));
    }
    flow.ack_owed += static_cast<uint32_t>(end - flow.rcv_nxt);
    // What fills a hole is told at once (RFC 5681 §4.2).
    if (!flow.ranges.empty()) flow.ack_now = true;
    Absorb(flow, end);
    return;
  }
  if (flow.ranges.Holds(begin, end)) {
    NoteDuplicate(flow, static_cast<int64_t>(begin), static_cast<int64_t>(end));
  }
  OweDuplicateAck(flow, now_us);
  if (flow.ranges.WouldOverflow(begin, end, kRangesPerAck)) {
    SendAck(flow, now_us, out);
    flow.ack_now = true;
  }
  if (flow.ranges.full() && !flow.ranges.is_large() && flow.proven()) {
    if (auto* place = range_places_.Take(peers_[IdOf(flow).slot()])) {
      flow.ranges.Grow(place);
      ++totals_.long_lists;
    }
  }
  // A full list is no harm: the segment will come again.
  if (flow.ranges.Add(flow.rcv_nxt, begin, end)) {
    flow.rcv_high = std::max(flow.rcv_high, end);
  }
}

// Dynamic right-sizing: the window is twice what a round trip brought, on top
// of what it began with, and grows while the bytes come. Where that is more
// than the round trip before brought, so much more room is made again, twice,
// as Linux does: a sender in slow start is a round trip ahead, and a hole,
// which stays open for one, holds the left edge. An unproven flow stays at the
// first window.
void OuterTcp::GrowWindow(OuterFlow& flow, uint64_t bytes, uint64_t now_us) {
  if (!flow.proven()) return;
  flow.measured_bytes = static_cast<uint32_t>(
      std::min<uint64_t>(flow.measured_bytes + bytes, OuterFlow::kMaxWindow));
  uint64_t window = 2 * uint64_t{flow.measured_bytes};
  // Divided only where it may count.
  if (flow.measured_bytes > flow.earlier_bytes && flow.earlier_bytes != 0 &&
      kFirstWindow + 3 * window > flow.rcv_window) {
    const uint64_t more = flow.measured_bytes - flow.earlier_bytes;
    window += 2 * std::min(window, window * more / flow.earlier_bytes);
  }
  window = std::min<uint64_t>(OuterFlow::kMaxWindow, kFirstWindow + window);
  flow.rcv_window = std::max(flow.rcv_window, static_cast<uint32_t>(window));
  const uint64_t span = std::max<uint64_t>(flow.srtt_us, kMinMeasureUs);
  if (now_us - flow.measure_from_us < span) return;
  flow.earlier_bytes = flow.measured_bytes;
  flow.measured_bytes = 0;
  flow.measure_from_us = now_us;
}

void OuterTcp::OnForwardPoint(FlowId id, uint64_t stream_offset) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr || flow->state != FlowState::kOpen) return;
  // The peer's own word for where its stream goes on: no FIN was before that.
  if (stream_offset > flow->rcv_fin) flow->rcv_fin = OuterFlow::kNever;
  // Not past what the window let the peer send.
  const uint64_t to = std::min(stream_offset, flow->rcv_right);
  if (to <= flow->rcv_nxt) return;
  Absorb(*flow, to);
  flow->ack_now = true;
  Touch(*flow);
}

}  // namespace lwt
