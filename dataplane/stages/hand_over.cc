#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void HandOver(Worker& worker, Handoff::Road road) {
  for (const Frame& frame : worker.foreign.frames()) {
    if (worker.options.handoff->Give(road, worker.options.index, frame.lane,
                                     frame)) {
      worker.counters.handed_over.Add(1);
    } else {
      worker.Drop(frame, DropReason::kHandoffFull);
    }
  }
  worker.foreign.Clear();
}

}  // namespace lwt
