// Two workers against one, over rings: packets per cycle of one pinned thread
// with a client and a hub of its own, and of two such threads at once, which
// share nothing but the pool and the machine. Prints one JSON object for each
// block of repetitions.
//
// usage: bench-workers [BLOCKS]
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

#include "tests/bench/gateway_rig.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

constexpr int kSteps = 60;  // of a repetition: some milliseconds
constexpr size_t kThreads = 2;

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

// A thread that runs its rig when told to, and says how long it took.
class Runner {
 public:
  Runner(int cpu, GatewayRig& rig)
      : rig_(rig), thread_([this, cpu] { Main(cpu); }) {}
  ~Runner() {
    Tell(kStop);
    thread_.join();
  }

  void Start() { Tell(kRun); }
  void Wait() {
    while (order_.load(std::memory_order_acquire) != kIdle) rte_pause();
  }
  bool quiet() const { return quiet_; }
  double cycles_per_packet() const {
    return static_cast<double>(cycles_) / (kSteps * GatewayRig::kBurst);
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
      cycles_ = CyclesOf([this] {
        for (int i = 0; i < kSteps; ++i) rig_.Step();
      });
      quiet_ = gate.Quiet() && quiet_;
      Tell(kIdle);
    }
    rte_thread_unregister();
  }

  GatewayRig& rig_;
  std::atomic<int> order_ = kIdle;
  bool quiet_ = false;
  uint64_t cycles_ = 0;
  std::thread thread_;
};

// One block: the same thread alone, then both. Speeds are packets per
// thousand cycles.
void PrintBlock(std::array<std::unique_ptr<Runner>, kThreads>& runners) {
  size_t kept = 0;
  size_t total = 0;
  std::vector<double> one;
  std::vector<double> two;
  for (; kept < kKeptPerBlock && total < 400; ++total) {
    Runner& first = *runners[total % kThreads];
    first.Start();
    first.Wait();
    const bool quiet = first.quiet();
    const double alone = 1000 / first.cycles_per_packet();
    for (const auto& runner : runners) runner->Start();
    for (const auto& runner : runners) runner->Wait();
    if (!quiet || !runners[0]->quiet() || !runners[1]->quiet()) continue;
    ++kept;
    one.push_back(alone);
    two.push_back(1000 / runners[0]->cycles_per_packet() +
                  1000 / runners[1]->cycles_per_packet());
  }
  std::printf("{\"kept\": %zu, \"total\": %zu", kept, total);
  if (kept > 0) {
    std::printf(", \"one\": %.4f, \"two\": %.4f", Median(one), Median(two));
  }
  std::printf("}\n");
}

void Run(int blocks) {
  const std::array<int, kThreads> cpus = FirstCpus();
  std::array<std::unique_ptr<GatewayRig>, kThreads> rigs;
  std::array<std::unique_ptr<Runner>, kThreads> runners;
  for (size_t i = 0; i < kThreads; ++i) {
    rigs[i] = std::make_unique<GatewayRig>(RigOptions{});
  }
  for (size_t i = 0; i < kThreads; ++i) {
    runners[i] = std::make_unique<Runner>(cpus[i], *rigs[i]);
  }
  for (int block = 0; block < blocks; ++block) PrintBlock(runners);
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15);
  return 0;
}
