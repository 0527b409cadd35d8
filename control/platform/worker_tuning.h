// What the workers take of the settings while they run.
//
// Owned by the gateway. Control thread.
#pragma once

#include <memory>
#include <span>

#include "control/config/config.h"
#include "control/loop/component.h"
#include "dataplane/exchange/tuning.h"
#include "dataplane/worker.h"

namespace lwt {

// Of one of so many workers.
Tuning TuningOf(const config::Config& config, size_t workers);

class WorkerTuning final : public loop::Component {
 public:
  WorkerTuning(std::span<const std::unique_ptr<WorkerThread>> workers,
               const config::QueueConfig& queues)
      : workers_(workers), rate_(queues.rate), rate_in_(queues.rate_in) {}

  // The rates of peers that have none of their own, after who reports peers.
  void Report(telemetry::Status& status, uint64_t now_us) const override;
  absl::Status Apply(const config::Config& config, uint64_t now_us) override;

 private:
  const std::span<const std::unique_ptr<WorkerThread>> workers_;
  config::BitRate rate_;
  config::BitRate rate_in_;
};

}  // namespace lwt
