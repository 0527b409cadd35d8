// One poll-mode worker: a thread that runs the pipeline over bursts of
// its ports, and sleeps when there is nothing to do.
//
// Made, started and stopped by control. All packet and flow state belongs to
// its thread; control reaches it by the mailbox and reads its counters.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dataplane/exchange/counters.h"
#include "dataplane/exchange/mailbox.h"
#include "dataplane/names.h"
#include "dataplane/worker_options.h"

namespace lwt {

class Worker;  // the thread's own state, in worker_state.h

class WorkerThread {
 public:
  // Null, with a sentence in `error`, when memory or descriptors do not
  // suffice.
  static std::unique_ptr<WorkerThread> Create(const WorkerOptions& options,
                                              std::string& error);
  virtual ~WorkerThread() = default;  // stops the thread

  // False, with a sentence in `error`, when the thread cannot be made.
  virtual bool Start(std::string& error) = 0;
  // Ends the loop after the burst under way; commands sent before are done.
  virtual void Stop() = 0;

  // What wakes the worker, beside the ports it was made with: a port is watched
  // before a SwapUplinkCommand for it is sent, and the one before until that is
  // carried out. By the thread that made this object. False, with a sentence in
  // `error`, when the kernel refuses.
  virtual bool Watch(const Port& port, std::string& error) = 0;
  virtual void Unwatch(const Port& port) = 0;

  virtual Mailbox& mailbox() = 0;
  virtual const WorkerCounters& counters() const = 0;
  virtual const LaneCounters& lane_counters(LaneIndex lane) const = 0;
  // The CPUs it may run on: one when it is pinned.
  virtual const std::vector<int>& cpus() const = 0;
};

}  // namespace lwt
