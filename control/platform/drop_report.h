// Tells the operator, at a limited rate, of frames lost because something was
// full. Owned by the gateway. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "control/base/log.h"
#include "control/loop/component.h"
#include "dataplane/worker.h"

namespace lwt {

class DropReport final : public loop::Component {
 public:
  static constexpr uint64_t kPeriodUs = 10'000'000;

  // `workers` outlive this object.
  DropReport(std::span<const std::unique_ptr<WorkerThread>> workers,
             const loop::Log& log)
      : workers_(workers), log_(log) {}

  uint64_t NextDeadline() const override { return next_us_; }
  void OnTimer(uint64_t now_us) override;

 private:
  const std::span<const std::unique_ptr<WorkerThread>> workers_;
  const loop::Log& log_;
  std::array<uint64_t, kDropReasonCount> seen_{};
  uint64_t next_us_ = 0;
};

}  // namespace lwt
