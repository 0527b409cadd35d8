#include "tests/bench/quiet_gate.h"

#include <algorithm>

namespace lwt::bench {
namespace {

constexpr double kWorst = 1.15;
constexpr int kSearch = 20'000;
constexpr int kTries = 3;
constexpr size_t kMostRepetitions = 2'000;

// Four chains of additions: they fill the core's issue slots, of which a
// sibling would take half.
uint64_t Probe() {
  uint64_t a = 1;
  uint64_t b = 2;
  uint64_t c = 3;
  uint64_t d = 4;
  const uint64_t begun = Cycles();
  for (int i = 0; i < 400; ++i) {
    asm volatile(
        "add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3\n\t"
        "add $3, %0\n\tadd $3, %1\n\tadd $3, %2\n\tadd $3, %3"
        : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
  }
  return Cycles() - begun;
}

uint64_t BestProbe(int tries) {
  uint64_t best = UINT64_MAX;
  for (int i = 0; i < tries; ++i) best = std::min(best, Probe());
  return best;
}

}  // namespace

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

QuietGate::QuietGate() : best_(BestProbe(kSearch)) {}

bool QuietGate::Quiet() {
  const uint64_t now = BestProbe(kTries);
  best_ = std::min(best_, now);
  return static_cast<double>(now) <= kWorst * static_cast<double>(best_);
}

Block RunBlock(QuietGate& gate,
               const std::function<std::vector<double>()>& body) {
  Block block;
  std::vector<std::vector<double>> kept;
  while (kept.size() < kKeptPerBlock && block.total < kMostRepetitions) {
    ++block.total;
    const bool quiet = gate.Quiet();
    std::vector<double> figures = body();
    if (quiet && gate.Quiet()) kept.push_back(std::move(figures));
  }
  block.kept = kept.size();
  if (kept.empty()) return block;
  for (size_t i = 0; i < kept.front().size(); ++i) {
    std::vector<double> column;
    for (const std::vector<double>& figures : kept) {
      column.push_back(figures[i]);
    }
    block.medians.push_back(Median(std::move(column)));
  }
  return block;
}

}  // namespace lwt::bench
