#include "tests/bench/quiet_gate.h"

#include <algorithm>

namespace lwt::bench {
namespace {

constexpr double kWorst = 1.15;
constexpr int kSearch = 20'000;
constexpr int kTries = 3;
// No repetition of ours takes so many times the median by itself.
constexpr double kInterrupted = 4;

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

using Column = std::vector<double>;

// Without what an interrupt fell into, which the probes around do not see. What
// is mostly zero is a count of something rare.
double Mean(const Column& values) {
  const double bound = kInterrupted * Median(values);
  double sum = 0;
  double count = 0;
  for (const double value : values) {
    if (bound > 0 && value > bound) continue;
    sum += value;
    ++count;
  }
  return sum / count;
}

bool HasAll(const std::vector<std::vector<Column>>& phases, size_t wanted) {
  return std::ranges::all_of(phases, [&](const std::vector<Column>& columns) {
    return !columns.empty() && columns.front().size() >= wanted;
  });
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
               const std::function<std::vector<double>()>& body,
               const BlockPlan& plan) {
  Block block;
  // By phase and figure.
  std::vector<std::vector<Column>> kept(plan.phases);
  const size_t wanted = (plan.kept + plan.phases - 1) / plan.phases;
  size_t phase = 0;
  while (!HasAll(kept, wanted) && block.total < plan.most) {
    ++block.total;
    const bool quiet = gate.Quiet();
    const std::vector<double> figures = body();
    std::vector<Column>& columns = kept[phase];
    phase = (phase + 1) % plan.phases;
    if (!quiet || !gate.Quiet()) continue;
    ++block.kept;
    columns.resize(figures.size());
    for (size_t i = 0; i < figures.size(); ++i) {
      columns[i].push_back(figures[i]);
    }
  }
  block.complete = HasAll(kept, wanted);
  if (!block.complete) return block;
  block.figures.resize(kept.front().size());
  for (const std::vector<Column>& columns : kept) {
    for (size_t i = 0; i < columns.size(); ++i) {
      const double middle = plan.mean ? Mean(columns[i]) : Median(columns[i]);
      block.figures[i] += middle / static_cast<double>(plan.phases);
    }
  }
  return block;
}

}  // namespace lwt::bench
