// The gate against noise: a busy sibling hyperthread or a neighbour on the CPU
// makes all code slower, for seconds at a time. A fixed piece of work is timed
// before and after each short repetition, and the repetition counts only when
// both took at most 1.15 times the best of the process.
#pragma once

#include <rte_cycles.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace lwt::bench {

// TSC cycles, ordered against the code around.
inline uint64_t Cycles() { return rte_rdtsc_precise(); }

// Cycles that `body` takes.
template <typename Body>
uint64_t CyclesOf(const Body& body) {
  const uint64_t begun = Cycles();
  body();
  return Cycles() - begun;
}

class QuietGate {
 public:
  // Looks for the best time of the fixed work, for some milliseconds.
  QuietGate();
  // Takes a few microseconds.
  bool Quiet();

 private:
  uint64_t best_ = UINT64_MAX;
};

// One block of repetitions. `figures` are of those kept; empty when it is not
// complete.
struct Block {
  bool complete = false;  // as many were kept as it takes
  size_t kept = 0;
  size_t total = 0;
  std::vector<double> figures;
};

// Of at least one value.
double Median(std::vector<double> values);

inline constexpr size_t kKeptPerBlock = 25;

// Of what repetitions a block is made, and what it says of them.
struct BlockPlan {
  size_t kept = kKeptPerBlock;
  size_t most = 2000;  // after which it gives up
  // Repetitions differ in turn, with this period (groups of FEC that end in
  // some of them): the block's figures are the means of the phases' medians.
  size_t phases = 1;
  // Repetitions differ at random (losses): means instead of medians, without
  // those of more than 4 times the median.
  bool mean = false;
};

// Repeats `body`, which returns the same figures each time, until enough
// repetitions are kept or too many were noisy.
Block RunBlock(QuietGate& gate,
               const std::function<std::vector<double>()>& body,
               const BlockPlan& plan = {});

// Bounds what a program takes; 0 seconds: no bound.
class TimeLimit {
 public:
  explicit TimeLimit(double seconds) : seconds_(seconds) {}
  bool Left() const {
    return seconds_.count() <= 0 || Clock::now() - begun_ < seconds_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::chrono::duration<double> seconds_;
  const Clock::time_point begun_ = Clock::now();
};

}  // namespace lwt::bench
