// The workers of a gateway, one for each port of its uplink, and the rings
// between them.
//
// Owned by Platform. Control thread.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "control/platform/worker_plan.h"
#include "dataplane/exchange/handoff.h"
#include "dataplane/worker.h"
#include "drivers/ports/uplink.h"

namespace lwt::platform {

class WorkerSet {
 public:
  // A worker's ports of the inside.
  struct Inside {
    Port* tunnel = nullptr;
    Port* lan = nullptr;   // null without a LAN port
    Port* twin = nullptr;  // null where the kernel sees the LAN port's frames
  };

  // Makes and starts them. `common` is what all have in common: ports, index,
  // CPUs and secret are filled in here. `inside` has one entry a worker. The
  // ports and pools outlive this; a port of the uplink may be swapped.
  static absl::StatusOr<std::unique_ptr<WorkerSet>> Start(
      const WorkerPlan& plan, const WorkerOptions& common, Uplink& uplink,
      std::span<const Inside> inside, const loop::Log& log);
  WorkerSet(const WorkerSet&) = delete;
  WorkerSet& operator=(const WorkerSet&) = delete;
  ~WorkerSet();  // stops the threads

  // Has every worker use `next`, which has at least as many ports, from its
  // next burst on. Refused while an earlier swap is under way.
  absl::Status BeginSwap(Uplink& next);
  // True once no worker uses the uplink before any more.
  bool EndSwap();

  // At least one.
  std::span<const std::unique_ptr<WorkerThread>> workers() const {
    return workers_;
  }

 private:
  explicit WorkerSet(Uplink& uplink) : uplink_(&uplink) {}

  void UnwatchAll(Uplink& uplink, size_t workers);

  Uplink* uplink_;
  Uplink* before_ = nullptr;     // while workers may still use it
  std::vector<uint64_t> marks_;  // commands to be carried out until they don't
  std::unique_ptr<Handoff> handoff_;  // where there are several workers
  std::vector<std::unique_ptr<WorkerThread>> workers_;
};

}  // namespace lwt::platform
