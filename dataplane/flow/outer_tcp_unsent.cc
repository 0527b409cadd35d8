// Bytes of a stream that wait for the peer's window, and how a window is asked
// for that stays closed (RFC 9293 §3.8.6.1).
//
// Some box may have answered the SYN before it has the other end: then the
// window is closed until that end is found. So does a proxy whose other side is
// slow.
#include <algorithm>
#include <cstring>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {

// How many more segments of the flow may wait. What has proven nothing leaves
// half of the places to others.
size_t OuterTcp::UnsentRoom(const OuterFlow& flow) const {
  const size_t room = kMaxUnsent - totals_.unsent;
  if (flow.proven()) return room;
  return std::min<size_t>({room, kMaxUnsentUnproven - totals_.unsent_unproven,
                           kMaxUnsentOfOne - flow.CountUnsent()});
}

void OuterTcp::KeepUnsent(OuterFlow& flow, rte_mbuf* segment) {
  rte_mbuf** end = &flow.unsent;
  while (*end != nullptr) end = &(*end)->next;
  *end = segment;
  ++totals_.unsent;
  if (!flow.proven()) ++totals_.unsent_unproven;
}

void OuterTcp::DropUnsent(OuterFlow& flow) {
  while (flow.unsent != nullptr) rte_pktmbuf_free_seg(TakeUnsent(flow));
}

rte_mbuf* OuterTcp::TakeUnsent(OuterFlow& flow) {
  rte_mbuf* const first = flow.unsent;
  flow.unsent = first->next;
  first->next = nullptr;
  --totals_.unsent;
  if (!flow.proven()) --totals_.unsent_unproven;
  return first;
}

// The first `room` bytes of what waits as a segment of their own. Null where
// there is no buffer.
rte_mbuf* OuterTcp::CutUnsent(OuterFlow& flow, uint16_t room) {
  rte_mbuf* const part = rte_pktmbuf_alloc(config_.pool);
  if (part == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_append(part, room),
              rte_pktmbuf_mtod(flow.unsent, const char*), room);
  rte_pktmbuf_adj(flow.unsent, room);
  return part;
}

// Sends what the window takes: whole segments, and a part of one only where
// nothing is in flight whose ack could open the window further (RFC 9293
// §3.8.6.2.1).
void OuterTcp::SendUnsent(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  while (flow.unsent != nullptr) {
    if (out.full()) {
      flow.reorder_at_us = std::min(flow.reorder_at_us, now_us + 1000);
      break;
    }
    const uint64_t room =
        flow.snd_right > flow.snd_nxt ? flow.snd_right - flow.snd_nxt : 0;
    rte_mbuf* segment = nullptr;
    if (flow.unsent->data_len <= room) {
      segment = TakeUnsent(flow);
    } else if (room != 0 && flow.snd_nxt == flow.snd_una) {
      segment = CutUnsent(flow, static_cast<uint16_t>(room));
    }
    if (segment == nullptr) break;
    StopAsking(flow);
    SendRun(flow, {&segment, 1}, flow.unsent == nullptr, now_us);
    out.Push(segment);
    flow.stream_end = flow.snd_nxt;
  }
  if (flow.unsent != nullptr) AskForWindow(flow, now_us);
}

// Somebody has something to send and may not: the peer is asked for its window
// until it opens one, or an ack is on its way anyhow.
void OuterTcp::AskForWindow(OuterFlow& flow, uint64_t now_us) {
  flow.starved = true;
  if (flow.rto_at_us != OuterFlow::kNever) return;
  flow.rto_at_us = now_us + flow.rto_us;
  Rearm(flow);
}

// The window is open: what is sent now waits for its ack from the start.
void OuterTcp::StopAsking(OuterFlow& flow) {
  if (!flow.starved) return;
  flow.starved = false;
  if (Awaits(flow)) return;
  flow.backoff = 0;
  flow.rto_at_us = OuterFlow::kNever;
}

// A segment of no bytes below the window, which every TCP answers by an ACK
// that has its window, as Linux's tcp_write_wakeup sends it.
void OuterTcp::ProbeWindow(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  const bool closed = flow.snd_right <= flow.snd_nxt;
  if (!flow.starved || (!closed && flow.unsent == nullptr)) {
    flow.starved = false;
    return;
  }
  if (flow.backoff < 16) ++flow.backoff;
  flow.rto_at_us = now_us + RetryAfter(flow);
  rte_mbuf* const frame = rte_pktmbuf_alloc(config_.pool);
  if (frame != nullptr) {
    rte_pktmbuf_append(frame, flow.header.size());
    flow.header.Write(frame, NextSegment(flow, flow.snd_nxt - 1, now_us));
  }
  if (Emit(frame, out)) flow.AckSent(/*told_ranges=*/false);
}

}  // namespace lwt
