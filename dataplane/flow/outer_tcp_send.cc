// Segments of ours without payload, and payload sent again.
#include <algorithm>
#include <array>

#include "dataplane/flow/control_segment.h"
#include "dataplane/flow/outer_tcp.h"
#include "dataplane/wire/checksum.h"

namespace lwt {
namespace {

// RFC 9293 §3.8.6.3 allows 500 ms; Linux waits 40.
constexpr uint64_t kDelayedAckUs = 40'000;

// The window field to send; `rcv_right` follows it and never goes back. It
// stands still while segments arrive above a hole, as a kernel's does. But
// nothing waits in a buffer for order here, so a hole that stays open must not
// stop the peer: the edge moves on before the window runs out.
uint16_t AdvanceWindow(OuterFlow& flow) {
  const uint64_t high = std::max(flow.rcv_nxt, flow.rcv_high);
  const bool runs_out = high + flow.rcv_window / 2 > flow.rcv_right;
  uint64_t reach = std::min((runs_out ? high : flow.rcv_nxt) + flow.rcv_window,
                            flow.rcv_nxt + OuterFlow::kMaxWindow);
  if (flow.spliced) reach = std::min(reach, flow.consumed + flow.rcv_window);
  // A segment that begins in the window may end beyond it, as with a kernel:
  // then nothing is left of it.
  const uint64_t right = std::max(reach, flow.rcv_right);
  const uint64_t window = right > flow.rcv_nxt ? right - flow.rcv_nxt : 0;
  // Rounded up, as Linux does, so that the edge does not shrink; a relay's
  // limit would creep on with each ACK.
  const uint64_t unit = uint64_t{1} << flow.own_scale;
  const uint64_t rounding = flow.spliced ? 0 : unit - 1;
  const uint64_t field =
      std::min<uint64_t>(65535, (window + rounding) >> flow.own_scale);
  flow.rcv_right =
      std::max(flow.rcv_right, flow.rcv_nxt + (field << flow.own_scale));
  return static_cast<uint16_t>(field);
}

// Room for `size` bytes; headroom, which nobody needs any more, gives way to a
// segment of a jumbo link. Null where they do not fit.
char* Append(rte_mbuf* frame, uint16_t size) {
  const uint16_t room = rte_pktmbuf_tailroom(frame);
  if (size > room) {
    const auto more = static_cast<uint16_t>(size - room);
    if (more > rte_pktmbuf_headroom(frame)) return nullptr;
    frame->data_off = static_cast<uint16_t>(frame->data_off - more);
  }
  return rte_pktmbuf_append(frame, size);
}

}  // namespace

bool OuterTcp::Emit(rte_mbuf* frame, TxBatch& out) {
  if (frame != nullptr && !out.full()) {
    out.Push(frame);
    return true;
  }
  ++totals_.buffers_missing;
  rte_pktmbuf_free(frame);
  return false;
}

FlowTemplate::Segment OuterTcp::NextSegment(OuterFlow& flow, uint64_t offset,
                                            uint64_t now_us) {
  return {
      .seq = flow.SendSeq(offset),
      .ack = flow.ReceiveSeq(flow.rcv_nxt),
      .flags = wire::kAck,
      .window = AdvanceWindow(flow),
      .ip_id = flow.ip_id++,
      .timestamps = {flow.Stamp(now_us), flow.ts_recent},
  };
}

bool OuterTcp::SendAck(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  if (out.full()) {
    ++totals_.buffers_missing;
    return false;
  }
  const FlowTemplate::Segment next = NextSegment(flow, flow.snd_nxt, now_us);
  rte_mbuf* frame;
  if (flow.sack && (flow.dsack || !flow.ranges.empty())) {
    ControlSegment segment{.link = flow.header.link(),
                           .ip_id = next.ip_id,
                           .flow_label = flow.flow_label};
    segment.tcp.seq = next.seq;
    segment.tcp.ack = next.ack;
    segment.tcp.flags = next.flags;
    segment.tcp.window = next.window;
    wire::TcpOptions& options = segment.tcp.options;
    if (flow.timestamps) options.timestamps = next.timestamps;
    std::array<ReceiveRanges::Range, ReceiveRanges::kTold> ranges;
    if (flow.dsack) {
      options.sack[options.sack_count++] = {flow.dsack_left, flow.dsack_right};
    }
    const size_t room = (flow.timestamps ? 3u : 4u) - options.sack_count;
    const size_t count = flow.ranges.Tell(room, ranges);
    for (size_t i = 0; i < count; ++i) {
      options.sack[options.sack_count++] = {flow.ReceiveSeq(ranges[i].begin),
                                            flow.ReceiveSeq(ranges[i].end)};
    }
    frame = MakeControlSegment(config_.pool, flow.key, segment);
  } else {
    frame = rte_pktmbuf_alloc(config_.pool);
    if (frame != nullptr) {
      rte_pktmbuf_append(frame, flow.header.size());
      flow.header.Write(frame, next);
    }
  }
  if (!Emit(frame, out)) return false;
  flow.dsack = false;
  flow.AckSent(/*told_ranges=*/true);
  return true;
}

void OuterTcp::SendFin(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  rte_mbuf* frame = rte_pktmbuf_alloc(config_.pool);
  if (frame != nullptr) {
    const uint64_t offset = flow.snd_nxt - (flow.fin_sent ? 1 : 0);
    FlowTemplate::Segment segment = NextSegment(flow, offset, now_us);
    segment.flags = wire::kFin | wire::kAck;
    rte_pktmbuf_append(frame, flow.header.size());
    flow.header.Write(frame, segment);
  }
  if (Emit(frame, out)) {
    flow.AckSent(/*told_ranges=*/false);
    if (!flow.fin_sent) ++flow.snd_nxt;
    flow.fin_sent = true;
  }
  if (flow.rto_at_us == OuterFlow::kNever) {
    flow.rto_at_us = now_us + flow.rto_us;
  }
}

// The bytes from `from` on of a kept segment, as one of their own.
bool OuterTcp::RetransmitPart(OuterFlow& flow, SentArena::Position at,
                              uint16_t from, uint16_t count, uint64_t now_us,
                              TxBatch& out) {
  const SentSegment& kept = arena_.At(at);
  rte_mbuf* frame = out.full() ? nullptr : rte_pktmbuf_alloc(config_.pool);
  const auto size = static_cast<uint16_t>(flow.header.size() + count);
  char* to = frame == nullptr ? nullptr : Append(frame, size);
  if (to == nullptr) {
    rte_pktmbuf_free(frame);
    ++totals_.buffers_missing;
    return false;
  }
  FlowTemplate::Segment segment = NextSegment(flow, kept.offset + from, now_us);
  if (kept.push && from + count == kept.size) segment.flags |= wire::kPsh;
  segment.payload_size = count;
  auto* const headers = reinterpret_cast<uint8_t*>(to);
  segment.payload_sum = wire::CopyAndChecksum(headers + flow.header.size(),
                                              arena_.Payload(at) + from, count);
  flow.header.Write(frame, segment);
  flow.AckSent(/*told_ranges=*/false);
  ++flow.segments_retransmitted;
  out.Push(frame);
  return true;
}

bool OuterTcp::Retransmit(OuterFlow& flow, SentArena::Position at,
                          uint64_t now_us, TxBatch& out) {
  SentSegment& kept = arena_.At(at);
  for (uint16_t from = 0; from < kept.size;) {
    const uint16_t count = std::min<uint16_t>(
        static_cast<uint16_t>(kept.size - from), flow.max_payload);
    if (!RetransmitPart(flow, at, from, count, now_us, out)) return false;
    from = static_cast<uint16_t>(from + count);
  }
  const bool in_parts = kept.size > flow.max_payload;
  kept.copies = in_parts && !kept.in_parts
                    ? 1
                    : static_cast<uint8_t>(std::min(kept.copies + 1, 255));
  kept.in_parts = in_parts;
  kept.last_us = now_us;
  flow.sent.SentAgain(arena_, at);
  return true;
}

void OuterTcp::FlushFlow(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  const bool enough = flow.ack_owed >= 2u * flow.most_payload;
  const bool quick = flow.ack_owed != 0 && flow.quick_acks != 0;
  if (flow.ack_now || enough || quick) {
    if (SendAck(flow, now_us, out) && quick) --flow.quick_acks;
  }
  if (flow.ack_owed != 0 && flow.ack_at_us == OuterFlow::kNever) {
    flow.ack_at_us = now_us + kDelayedAckUs;
  }
  if (!flow.sent.empty()) RetransmitLost(flow, now_us, out);
  if (flow.unsent != nullptr) SendUnsent(flow, now_us, out);
  if (flow.fin_wanted && !flow.fin_sent && flow.unsent == nullptr) {
    SendFin(flow, now_us, out);
  }
  if (flow.broken) return Die(flow, EventType::kReleased);
  CheckForward(flow, now_us);
  Rearm(flow);
}

void OuterTcp::Flush(uint64_t now_us, TxBatch& out) {
  flushed_us_ = now_us;
  // FlushFlow may touch its own flow again, never more than once.
  for (size_t i = 0; i < touched_.size(); ++i) {
    OuterFlow& flow = table_.At(touched_[i]);
    if (flow.state == FlowState::kOpen) FlushFlow(flow, now_us, out);
    flow.touched = false;
  }
  touched_.clear();
}

}  // namespace lwt
