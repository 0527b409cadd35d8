// Cost of a packet and memory of a hub with 1 to 10 000 peers, each with keys,
// windows and an opened record, traffic on at most 8 of them; the largest also
// with a million routes. All rigs live in one process and take turns. Prints
// one JSON object for each block of repetitions.
//
// usage: bench-scale [BLOCKS [SECONDS]]
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "control/hub/hub_sessions.h"
#include "tests/bench/gateway_rig.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

constexpr uint32_t kActive = 8;
// For a block wanted, on a noisy machine.
constexpr int kMostTurns = 4;

double ResidentMib() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

class Row {
 public:
  Row(uint32_t peers, uint32_t routes) : routes_(routes) {
    RigOptions options;
    options.lanes = peers;
    options.places = peer::HubSessions::LanesFor(peers);
    options.active = std::min(peers, kActive);
    options.foreign_routes = routes;
    const double before = ResidentMib();
    rig_ = std::make_unique<GatewayRig>(options);
    for (int i = 0; i < 200; ++i) rig_->Step();
    memory_mib_ = ResidentMib() - before;
  }

  // True when the block is complete.
  bool PrintBlock(QuietGate& gate) {
    const Block block = RunBlock(gate, [this] {
      rig_->Feed();
      const uint64_t sender = CyclesOf([this] { rig_->RunClient(); });
      rig_->Carry();
      const uint64_t receiver = CyclesOf([this] { rig_->RunHub(); });
      rig_->Drain();
      return std::vector<double>{
          static_cast<double>(sender) / GatewayRig::kBurst,
          static_cast<double>(receiver) / GatewayRig::kBurst};
    });
    std::printf(
        "{\"peers\": %u, \"routes\": %u, \"memory_mib\": %.1f, "
        "\"complete\": %s, \"kept\": %zu, \"total\": %zu",
        rig_->options().lanes, routes_, memory_mib_,
        block.complete ? "true" : "false", block.kept, block.total);
    if (!block.figures.empty()) {
      std::printf(", \"sender\": %.1f, \"receiver\": %.1f", block.figures[0],
                  block.figures[1]);
    }
    std::printf("}\n");
    return block.complete;
  }

 private:
  const uint32_t routes_;
  std::unique_ptr<GatewayRig> rig_;
  double memory_mib_ = 0;
};

void Run(int blocks, const TimeLimit& limit) {
  std::vector<std::unique_ptr<Row>> rows;
  for (const uint32_t peers : {1u, 10u, 100u, 1000u, 10'000u}) {
    rows.push_back(std::make_unique<Row>(peers, 0));
  }
  rows.push_back(std::make_unique<Row>(10'000, 1'000'000));
  QuietGate gate;
  int done = 0;
  for (int turn = 0; turn < kMostTurns * blocks && limit.Left(); ++turn) {
    bool complete = true;
    for (const auto& row : rows) complete = row->PrintBlock(gate) && complete;
    done += complete ? 1 : 0;
    if (done == blocks) return;
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15,
                  lwt::bench::TimeLimit(argc > 2 ? std::atof(argv[2]) : 0));
  return 0;
}
