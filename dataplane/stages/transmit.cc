// Writes what has been queued to the uplink.
#include <span>

#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// As on a wire, where each part of a super-frame has headers of its own.
[[gnu::cold]] void Charge(Worker& worker, std::span<rte_mbuf*> frames) {
  constexpr uint32_t kHeaders = 14 + 20 + 32;
  uint64_t bytes = 0;
  for (const rte_mbuf* frame : frames) {
    bytes += frame->pkt_len + (frame->nb_segs - 1u) * kHeaders;
  }
  worker.outbound.uplink_rate.Spend(bytes);
}

}  // namespace

// What the uplink does not take now is dropped: the outer flow holds a copy
// and sends it again.
void Transmit(Worker& worker) {
  const auto frames = worker.tx.frames();
  if (frames.empty()) return;
  worker.worked = true;
  if (worker.tuning.uplink_rate != 0) Charge(worker, frames);
  const uint16_t taken = worker.uplink->Transmit(frames);
  worker.counters.uplink_tx_frames.Add(taken);
  const auto left = frames.subspan(taken);
  if (!left.empty()) {
    worker.counters.Drop(DropReason::kUplinkFull, left.size());
    rte_pktmbuf_free_bulk(left.data(), static_cast<unsigned>(left.size()));
  }
  worker.tx.Clear();
}

}  // namespace lwt
