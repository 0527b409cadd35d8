// Two workers of a hub against one, with the same two peers, over rings:
// packets per cycle of the hub's workers, each on a pinned thread that also
// runs the peers of it, in between. Prints one JSON object for each block of
// repetitions.
//
// usage: bench-workers [BLOCKS [SECONDS]]
#include <pthread.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "tests/bench/quiet_gate.h"
#include "tests/bench/two_peer_hub.h"

namespace lwt::bench {
namespace {

constexpr int kSteps = 60;  // of a repetition: some milliseconds
constexpr size_t kThreads = TwoPeerHub::kPeers;
constexpr size_t kMostRepetitions = 400;
// For a block wanted, on a noisy machine.
constexpr int kMostTurns = 4;

// The first CPUs that this process may use.
std::array<int, kThreads> FirstCpus() {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  std::array<int, kThreads> cpus{};
  size_t found = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && found < kThreads; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &allowed)) cpus[found++] = cpu;
  }
  if (found < kThreads) {
    std::fprintf(stderr, "bench: two CPUs are needed\n");
    std::exit(1);
  }
  return cpus;
}

void PinTo(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(cpu), &one);
  pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

// A thread that steps a worker of a hub when told to, and says how long the
// worker took.
class Runner {
 public:
  explicit Runner(int cpu) : thread_([this, cpu] { Main(cpu); }) {}
  ~Runner() {
    Tell(kStop);
    thread_.join();
  }

  void Start(TwoPeerHub& hub, uint32_t worker) {
    hub_ = &hub;
    worker_ = worker;
    Tell(kRun);
  }
  void Wait() {
    while (order_.load(std::memory_order_acquire) != kIdle) rte_pause();
  }
  bool quiet() const { return quiet_; }
  double cycles_per_packet() const {
    return static_cast<double>(cycles_) / (kSteps * TwoPeerHub::kPacketsOfStep);
  }

 private:
  static constexpr int kIdle = 0;
  static constexpr int kRun = 1;
  static constexpr int kStop = 2;

  void Tell(int order) { order_.store(order, std::memory_order_release); }

  void Main(int cpu) {
    PinTo(cpu);
    rte_thread_register();
    QuietGate gate;
    while (true) {
      const int order = order_.load(std::memory_order_acquire);
      if (order == kStop) break;
      if (order == kIdle) {
        std::this_thread::yield();
        continue;
      }
      quiet_ = gate.Quiet();
      cycles_ = 0;
      for (int i = 0; i < kSteps; ++i) cycles_ += hub_->Step(worker_);
      quiet_ = gate.Quiet() && quiet_;
      Tell(kIdle);
    }
    rte_thread_unregister();
  }

  TwoPeerHub* hub_ = nullptr;
  uint32_t worker_ = 0;
  std::atomic<int> order_ = kIdle;
  bool quiet_ = false;
  uint64_t cycles_ = 0;
  std::thread thread_;
};

struct Hubs {
  TwoPeerHub one{1};
  TwoPeerHub two{kThreads};
};
using Runners = std::array<std::unique_ptr<Runner>, kThreads>;

// One block: the hub of one worker on either thread, then that of two. Speeds
// are packets per thousand cycles. True when it is complete.
bool PrintBlock(Hubs& hubs, Runners& runners) {
  size_t kept = 0;
  size_t total = 0;
  std::vector<double> one;
  std::vector<double> two;
  for (; kept < kKeptPerBlock && total < kMostRepetitions; ++total) {
    Runner& first = *runners[total % kThreads];
    first.Start(hubs.one, 0);
    first.Wait();
    const bool quiet = first.quiet();
    const double alone = 1000 / first.cycles_per_packet();
    for (uint32_t i = 0; i < kThreads; ++i) runners[i]->Start(hubs.two, i);
    for (const auto& runner : runners) runner->Wait();
    if (!quiet || !runners[0]->quiet() || !runners[1]->quiet()) continue;
    ++kept;
    one.push_back(alone);
    two.push_back(1000 / runners[0]->cycles_per_packet() +
                  1000 / runners[1]->cycles_per_packet());
  }
  std::printf("{\"complete\": %s, \"kept\": %zu, \"total\": %zu",
              kept == kKeptPerBlock ? "true" : "false", kept, total);
  if (kept > 0) {
    std::printf(", \"one\": %.4f, \"two\": %.4f", Median(one), Median(two));
  }
  std::printf("}\n");
  std::fflush(stdout);
  return kept == kKeptPerBlock;
}

void Run(int blocks, const TimeLimit& limit) {
  const std::array<int, kThreads> cpus = FirstCpus();
  Hubs hubs;
  Runners runners;
  for (size_t i = 0; i < kThreads; ++i) {
    runners[i] = std::make_unique<Runner>(cpus[i]);
  }
  int done = 0;
  for (int turn = 0; turn < kMostTurns * blocks && limit.Left(); ++turn) {
    done += PrintBlock(hubs, runners) ? 1 : 0;
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
