// The gate against noise: a busy sibling hyperthread or a neighbour on the CPU
// makes all code slower, for seconds at a time. A fixed piece of work is timed
// before and after each short repetition, and the repetition counts only when
// both took at most 1.15 times the best of the process.
#pragma once

#include <rte_cycles.h>

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

// One block of repetitions. `medians` are of those kept; empty when none was.
struct Block {
  size_t kept = 0;
  size_t total = 0;
  std::vector<double> medians;
};

// Of at least one value.
double Median(std::vector<double> values);

inline constexpr size_t kKeptPerBlock = 25;

// Repeats `body`, which returns the same figures each time, until 25
// repetitions are kept or too many were noisy.
Block RunBlock(QuietGate& gate,
               const std::function<std::vector<double>()>& body);

}  // namespace lwt::bench
