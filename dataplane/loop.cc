#include "dataplane/loop.h"

#include "dataplane/commands.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void RunLoopOnce(Worker& worker) {
  worker.worked = false;
  worker.snapshot = worker.mailbox->snapshot();
  RunCommands(worker);
  // Until control has published a first picture there is nothing to route by.
  if (worker.snapshot != nullptr) {
    RunInbound(worker);
    if (worker.now_us >= worker.tcp.NextDeadline()) {
      worker.tcp.OnTimer(worker.now_us, worker.tx);
      HandleFlowEvents(worker);
    }
    RunOutbound(worker);
  }
  worker.mailbox->KickControl();
  worker.mailbox->ReportQuiescent();
}

}  // namespace lwt
