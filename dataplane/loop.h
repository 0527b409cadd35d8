// One iteration of a worker's loop, without its thread, clock and sleep.
#pragma once

namespace lwt {

class Worker;

// Carries out commands, then runs both pipelines and the timers once.
// worker.now_us is the time; worker.worked says afterwards whether there was
// anything to do.
void RunLoopOnce(Worker& worker);

}  // namespace lwt
