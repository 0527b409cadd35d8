// Gives frames that are another worker's business to that worker.
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void HandOver(Worker& worker, Handoff::Road road) {
  const StageCheck check(worker.ledger, worker.foreign);
  for (const auto& [frame, owner] : worker.foreign.frames()) {
    if (worker.options.handoff->Give(road, worker.options.index, owner,
                                     frame)) {
      worker.ledger.Gone();
      worker.counters.handed_over.Add(1);
    } else {
      worker.Drop(frame, DropReason::kHandoffFull);
    }
  }
  worker.foreign.Clear();
}

}  // namespace lwt
