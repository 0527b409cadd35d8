// The worst legal input of each stage and parser of the inbound path beside the
// common one.
//
// usage: bench-worst-input ROUNDS SECONDS   cycles, gated: a line of JSON a
//                                           block
//        bench-worst-input count            below callgrind: a dump for each
//                                           case and side, named by its line
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/bench/quiet_gate.h"
#include "tests/bench/worst_meter.h"

namespace lwt::bench {
namespace {

class CycleMeter final : public WorstMeter {
 public:
  void Count(const std::function<void()>& body) override {
    cycles_ += CyclesOf(body);
  }
  double Take(size_t operations) {
    return static_cast<double>(std::exchange(cycles_, 0)) /
           static_cast<double>(operations);
  }

 private:
  uint64_t cycles_ = 0;
};

class InstructionMeter final : public WorstMeter {
 public:
  void Count(const std::function<void()>& body) override {
    CALLGRIND_TOGGLE_COLLECT;
    body();
    CALLGRIND_TOGGLE_COLLECT;
  }
};

std::vector<WorstCase> AllCases() {
  std::vector<WorstCase> all;
  for (auto cases : {InboundCases, RecordCases, InsideCases, DoorCases}) {
    for (WorstCase& one : cases()) all.push_back(std::move(one));
  }
  return all;
}

// `stage|side|operations` for each dump, in their order.
void CountSide(const WorstCase& one, const char* side,
               const std::function<size_t(WorstMeter&)>& run) {
  InstructionMeter meter;
  class Nothing final : public WorstMeter {
    void Count(const std::function<void()>& body) override { body(); }
  } nothing;
  run(nothing);  // what is made at first use
  CALLGRIND_ZERO_STATS;
  const size_t operations = run(meter);
  CALLGRIND_DUMP_STATS;
  std::printf("%s|%s|%zu\n", one.stage.c_str(), side, operations);
}

int CountAll() {
  for (const WorstCase& one : AllCases()) {
    CountSide(one, "common", one.run_common);
    CountSide(one, "worst", one.run_worst);
  }
  return 0;
}

int MeasureAll(int rounds, double seconds) {
  QuietGate gate;
  TimeLimit limit(seconds);
  const std::vector<WorstCase> cases = AllCases();
  for (int round = 0; round < rounds && limit.Left(); ++round) {
    for (const WorstCase& one : cases) {
      CycleMeter meter;
      const Block block = RunBlock(gate, [&] {
        const double common = meter.Take(one.run_common(meter));
        const double worst = meter.Take(one.run_worst(meter));
        return std::vector<double>{common, worst, worst / common};
      });
      std::printf(
          "{\"stage\": \"%s\", \"common_input\": \"%s\", \"worst_input\": "
          "\"%s\", \"complete\": %s, \"kept\": %zu, \"total\": %zu, "
          "\"common\": %.1f, \"worst\": %.1f, \"ratio\": %.3f}\n",
          one.stage.c_str(), one.common.c_str(), one.worst.c_str(),
          block.complete ? "true" : "false", block.kept, block.total,
          block.complete ? block.figures[0] : 0,
          block.complete ? block.figures[1] : 0,
          block.complete ? block.figures[2] : 0);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "count") {
    return lwt::bench::CountAll();
  }
  if (argc != 3) return 2;
  return lwt::bench::MeasureAll(std::atoi(argv[1]), std::atof(argv[2]));
}
