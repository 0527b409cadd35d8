// Writes what has been queued to the uplink.
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

// What the uplink does not take now is dropped: the outer flow holds a copy
// and sends it again.
void Transmit(Worker& worker) {
  const auto frames = worker.tx.frames();
  if (frames.empty()) return;
  worker.worked = true;
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
