#include "dataplane/lane/codel.h"

#include <cmath>

namespace lwt::session {
namespace {

// Section 5.5: who was told lately begins at the rate that was needed.
constexpr uint64_t kLatelyUs = 16 * Codel::kIntervalUs;

// Section 3.3: the loss that a TCP heeds falls with the square root of its
// rate.
uint64_t StepUs(uint32_t told) {
  return static_cast<uint64_t>(static_cast<float>(Codel::kIntervalUs) /
                               std::sqrt(static_cast<float>(told)));
}

}  // namespace

bool Codel::StandsAbove(uint64_t waited_us, bool last, uint64_t now_us) {
  if (waited_us < kTargetUs || last) {
    above_until_us_ = 0;
    return false;
  }
  if (above_until_us_ == 0) above_until_us_ = now_us + kIntervalUs;
  return now_us >= above_until_us_;
}

bool Codel::Tells(uint64_t waited_us, bool last, uint64_t now_us) {
  const bool above = StandsAbove(waited_us, last, now_us);
  if (!above) {
    telling_ = false;
    return false;
  }
  if (telling_) {
    if (now_us < next_us_) return false;
    next_us_ += StepUs(++told_);
    return true;
  }
  telling_ = true;
  const uint32_t since_last = told_ - told_before_;
  const bool lately = now_us < next_us_ + kLatelyUs;
  told_ = since_last > 1 && lately ? since_last : 1;
  told_before_ = told_;
  next_us_ = now_us + StepUs(told_);
  return true;
}

}  // namespace lwt::session
