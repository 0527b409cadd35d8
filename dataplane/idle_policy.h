// When an idle worker stops spinning: Busy → Relax → Sleep.
//
// Spinning on for a moment catches the next packet of a running flow without a
// system call; sleeping soon leaves the core to others, which matters where
// gateway, control and traffic share two of them (docs/performance.md).
#pragma once

#include <cstdint>

#include "dataplane/worker_options.h"

namespace lwt {

class IdlePolicy {
 public:
  enum class Step : uint8_t { kPoll, kRelax, kSleep };

  // Empty polls before relaxing, and time without work before sleeping.
  static constexpr uint32_t kBusyPolls = 4;
  static constexpr uint64_t kSleepAfterUs = 20;

  explicit IdlePolicy(IdleMode mode) : mode_(mode) {}

  // After a loop iteration: what to do before the next one.
  Step Next(bool had_work, uint64_t now_us) {
    if (had_work || mode_ == IdleMode::kBusy) {
      empty_polls_ = 0;
      last_work_us_ = now_us;
      return Step::kPoll;
    }
    if (++empty_polls_ <= kBusyPolls) return Step::kPoll;
    if (now_us - last_work_us_ < kSleepAfterUs) return Step::kRelax;
    return Step::kSleep;
  }

 private:
  const IdleMode mode_;
  uint32_t empty_polls_ = 0;
  uint64_t last_work_us_ = 0;
};

}  // namespace lwt
