// Parts of the path by Google Benchmark. Each repetition of at most 100 µs
// passes the gate; `kept` of `total` did. `cycles` are TSC cycles of one call,
// the median.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "tests/bench/quiet_gate.h"

namespace lwt::bench {

inline constexpr int kMostNoisy = 2000;

inline QuietGate& Gate() {
  static QuietGate gate;
  return gate;
}

#define LWT_BENCHMARK(name) BENCHMARK(name)->UseManualTime()->Iterations(25)

// `once` returns the cycles of a repetition; runs it until it was quiet, once
// for each iteration. `keep` is told after each that counts.
template <typename Once, typename Keep>
void Repeat(benchmark::State& state, const Once& once, const Keep& keep) {
  int64_t total = 0;
  int64_t kept = 0;
  for (auto _ : state) {
    double cost = 0;
    for (int tries = 0; tries < kMostNoisy; ++tries) {
      ++total;
      const bool quiet = Gate().Quiet();
      cost = once();
      if (quiet && Gate().Quiet()) {
        ++kept;
        break;
      }
    }
    keep();
    state.SetIterationTime(cost * 1e-9);
  }
  state.counters["kept"] = static_cast<double>(kept);
  state.counters["total"] = static_cast<double>(total);
}

// Cycles of one of `calls` calls.
template <typename Body>
void Measure(benchmark::State& state, int calls, const Body& body) {
  double cost = 0;
  std::vector<double> costs;
  Repeat(
      state,
      [&] {
        const uint64_t cycles = CyclesOf([&] {
          for (int i = 0; i < calls; ++i) body();
        });
        return cost = static_cast<double>(cycles) / calls;
      },
      [&] { costs.push_back(cost); });
  state.counters["cycles"] = Median(costs);
}

// Cycles of `body` and of `bare`, which does the least that can be done, for
// each of `units`; in turns, `ratio` is the median of bare over body.
template <typename Body, typename Bare>
void MeasureBeside(benchmark::State& state, int rounds, int units,
                   const Body& body, const Bare& bare) {
  double ours = 0;
  double least = 0;
  std::vector<double> costs;
  std::vector<double> floors;
  std::vector<double> ratios;
  Repeat(
      state,
      [&] {
        uint64_t body_cycles = 0;
        uint64_t bare_cycles = 0;
        for (int i = 0; i < rounds; ++i) {
          body_cycles += CyclesOf(body);
          bare_cycles += CyclesOf(bare);
        }
        ours = static_cast<double>(body_cycles) / (rounds * units);
        least = static_cast<double>(bare_cycles) / (rounds * units);
        return ours + least;
      },
      [&] {
        costs.push_back(ours);
        floors.push_back(least);
        ratios.push_back(least / ours);
      });
  state.counters["cycles"] = Median(costs);
  state.counters["bare"] = Median(floors);
  state.counters["ratio"] = Median(ratios);
}

}  // namespace lwt::bench
