#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void Receive(Worker& worker) {
  ReceivedFrames& received = worker.received;
  if (!received.drained()) return;
  received.next = 0;
  received.count = worker.options.uplink->Receive(received.mbufs);
  if (received.count == 0) return;
  worker.worked = true;
  worker.counters.uplink_rx_frames.Add(received.count);
}

}  // namespace lwt
