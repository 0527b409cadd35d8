// Tells the operator, at a limited rate, of frames lost because something was
// full. Owned by the gateway. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "control/loop/log.h"
#include "dataplane/worker.h"

namespace lwt {

class DropReport {
 public:
  static constexpr uint64_t kPeriodUs = 10'000'000;

  explicit DropReport(const loop::Log& log) : log_(log) {}

  // Call about as often as the loop turns; looks every kPeriodUs only.
  void OnTimer(std::span<const std::unique_ptr<WorkerThread>> workers,
               uint64_t now_us);

 private:
  const loop::Log& log_;
  std::array<uint64_t, kDropReasonCount> seen_{};
  uint64_t next_us_ = 0;
};

}  // namespace lwt
