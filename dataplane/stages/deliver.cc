// Writes packets to the tunnel device.
#include "dataplane/stages/coalesce.h"
#include "dataplane/stages/inside_batch.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void Deliver(Worker& worker, PacketBurst& packets) {
  const StageCheck check(worker.ledger, packets);
  InsideBatch batch(worker, *worker.options.tunnel);
  if (worker.options.tunnel->info().segments) {
    Coalescer coalescer(worker, batch);
    for (const Frame& packet : packets.frames()) coalescer.Push(packet);
  } else {
    for (const Frame& packet : packets.frames()) batch.Push(packet);
  }
  worker.ledger.Gone(packets.size());
  packets.Clear();
}

}  // namespace lwt
