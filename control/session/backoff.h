// How long a client waits before the next attempt: 1, 2, 4, 8, 16, 32 s, for
// ever 32 s, each a quarter shorter at most, so that clients of one hub do not
// come back in step; or as many times another first wait.
#pragma once

#include <algorithm>
#include <cstdint>

#include "control/session/random.h"

namespace lwt::peer {

class Backoff {
 public:
  static constexpr uint64_t kFirstUs = 1'000'000;

  explicit Backoff(RandomSource random, uint64_t first_us = kFirstUs)
      : random_(random), first_us_(first_us) {}

  uint64_t NextUs() {
    uint64_t full = first_us_ << step_;
    step_ = std::min(step_ + 1, kLastStep);
    return RandomBetween(random_, full - full / 4, full);
  }
  void Reset() { step_ = 0; }

 private:
  static constexpr uint32_t kLastStep = 5;

  RandomSource random_;
  uint64_t first_us_;
  uint32_t step_ = 0;
};

}  // namespace lwt::peer
