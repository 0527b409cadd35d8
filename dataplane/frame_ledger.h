// Debug builds count frames. Of what a stage finds in its bursts, and what it
// makes, each frame stays in one of them, moves on or is dropped, once: a frame
// that is forgotten leaks a buffer, and one that is given away twice is freed
// under its second owner. A release counts nothing.
#pragma once

#include <cstddef>
#include <tuple>

#include "drivers/check.h"

namespace lwt {

#ifndef NDEBUG

// Of one worker, over all its stages.
class FrameLedger {
 public:
  // Frames that come into a stage's hands from elsewhere than its bursts: new
  // ones, references, what was kept between turns.
  void Made(size_t count = 1) { balance_ += count; }
  // Frames that leave a stage's hands to elsewhere than its bursts.
  void Gone(size_t count = 1) { balance_ -= count; }
  size_t balance() const { return balance_; }

 private:
  size_t balance_ = 0;  // wraps
};

// Checks one stage, from here to the end of the scope. `bursts` are those that
// it takes from and puts into; each has size().
template <typename... Bursts>
class StageCheck {
 public:
  explicit StageCheck(const FrameLedger& ledger, const Bursts&... bursts)
      : ledger_(ledger), bursts_(bursts...), expected_(Difference()) {}
  StageCheck(const StageCheck&) = delete;
  StageCheck& operator=(const StageCheck&) = delete;
  ~StageCheck() { LWT_ASSERT(Difference() == expected_); }

 private:
  size_t Difference() const {
    return std::apply(
        [this](const Bursts&... bursts) {
          return (bursts.size() + ...) - ledger_.balance();
        },
        bursts_);
  }

  const FrameLedger& ledger_;
  const std::tuple<const Bursts&...> bursts_;
  const size_t expected_;
};

#else

class FrameLedger {
 public:
  void Made(size_t = 1) {}
  void Gone(size_t = 1) {}
};

template <typename... Bursts>
class [[maybe_unused]] StageCheck {
 public:
  explicit StageCheck(const FrameLedger&, const Bursts&...) {}
};

#endif

}  // namespace lwt
