// What a hub of 10 000 clients costs its control thread: while they are idle,
// the share of a core; and a join beside the X25519 that it cannot do without,
// at 500 joins a second. Prints one JSON object for each block.
//
// usage: bench-hub-control [BLOCKS [SECONDS]]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "control/handshake/crypto.h"
#include "tests/bench/crowded_hub.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

constexpr uint32_t kClients = 10'000;
constexpr uint32_t kJoins = 100;  // of one repetition
constexpr uint64_t kJoinEveryUs = 2'000;
constexpr uint64_t kIdleUs = 1'000'000;
// For a block wanted, on a noisy machine.
constexpr int kMostTurns = 4;

// Of the hub's half of a handshake: a key pair of its own and three products.
uint64_t X25519OfAJoin() {
  static const handshake::StaticKey key = handshake::GenerateStaticKey();
  return CyclesOf([] {
    handshake::PublicKey point = handshake::X25519Public(key.secret.bytes());
    for (int i = 0; i < 3; ++i) {
      if (!handshake::X25519(key.secret.bytes(), point, point)) std::abort();
    }
  });
}

// Of the counter that cycles are told by.
double CyclesOfASecond() {
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  const uint64_t from = Cycles();
  std::chrono::duration<double> passed{};
  while (passed.count() < 0.1) passed = Clock::now() - begun;
  return static_cast<double>(Cycles() - from) / passed.count();
}

void Print(const Block& block, const char* row,
           const std::vector<const char*>& names) {
  std::printf(
      "{\"row\": \"%s\", \"clients\": %u, \"complete\": %s, \"kept\": %zu, "
      "\"total\": %zu",
      row, kClients, block.complete ? "true" : "false", block.kept,
      block.total);
  for (size_t i = 0; i < block.figures.size(); ++i) {
    std::printf(", \"%s\": %.9g", names[i], block.figures[i]);
  }
  std::printf("}\n");
}

bool IdleBlock(CrowdedHub& hub, QuietGate& gate, double second) {
  const Block block = RunBlock(
      gate,
      [&] {
        const uint64_t before = hub.working() + hub.publishing();
        hub.Idle(kIdleUs);
        const uint64_t busy = hub.working() + hub.publishing() - before;
        return std::vector<double>{static_cast<double>(busy),
                                   second * kIdleUs / 1e6};
      },
      {.mean = true});
  Print(block, "idle", {"busy", "core"});
  return block.complete;
}

// Snapshots take a share of the time, however many join; what is left is for
// the joins, so a join costs by so much more.
bool JoinBlock(CrowdedHub& hub, QuietGate& gate, double second) {
  const Block block = RunBlock(
      gate,
      [&] {
        uint64_t x25519 = 0;
        const uint64_t working = hub.working();
        const uint64_t publishing = hub.publishing();
        const uint64_t begun_us = hub.now_us();
        for (uint32_t i = 0; i < kJoins; ++i) {
          hub.Join();
          hub.Idle(kJoinEveryUs);
          x25519 += X25519OfAJoin();
        }
        hub.Settle();
        const double passed =
            static_cast<double>(hub.now_us() - begun_us) / 1e6 * second;
        const double share =
            static_cast<double>(hub.publishing() - publishing) / passed;
        const double join =
            static_cast<double>(hub.working() - working) / kJoins;
        hub.Forget(kJoins);
        return std::vector<double>{join / (1 - share), join, share,
                                   static_cast<double>(x25519) / kJoins,
                                   second};
      },
      {.mean = true});
  Print(block, "joins", {"join", "bare_join", "snapshots", "x25519", "second"});
  return block.complete;
}

void Run(int blocks, const TimeLimit& limit) {
  CrowdedHub hub(kClients + kJoins);
  while (hub.clients() < kClients) {
    hub.Join();
    hub.Idle(kJoinEveryUs);
  }
  hub.Settle();
  hub.Idle(10 * kIdleUs);
  const double second = CyclesOfASecond();
  QuietGate gate;
  int done = 0;
  for (int turn = 0; turn < kMostTurns * blocks && limit.Left(); ++turn) {
    const bool idle = IdleBlock(hub, gate, second);
    const bool joins = JoinBlock(hub, gate, second);
    done += idle && joins ? 1 : 0;
    if (done == blocks) return;
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  if (!lwt::handshake::InitCrypto()) return 1;
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15,
                  lwt::bench::TimeLimit(argc > 2 ? std::atof(argv[2]) : 0));
  return 0;
}
