#include "dataplane/worker.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_thread.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/clock.h"
#include "dataplane/idle_policy.h"
#include "dataplane/loop.h"
#include "dataplane/worker_state.h"
#include "drivers/cpu_set.h"
#include "drivers/rx_wait.h"

namespace lwt {
namespace {

// No sleep is longer, so that a deadline that was missed costs little.
constexpr uint64_t kLongestSleepUs = 1'000'000;
// While shards wait for a window, their time limit is looked at this often.
constexpr uint64_t kWaitingSleepUs = 1'000;

class ThreadedWorker final : public WorkerThread {
 public:
  ThreadedWorker(std::unique_ptr<Worker> worker, std::unique_ptr<RxWait> wait)
      : worker_(std::move(worker)),
        wait_(std::move(wait)),
        idle_(worker_->options.idle) {}

  ~ThreadedWorker() override { Stop(); }

  bool Start(std::string& error) override;
  void Stop() override;
  bool Watch(const Port& port, std::string& error) override {
    const absl::Status added = wait_->Add(port);
    if (!added.ok()) error = std::string(added.message());
    return added.ok();
  }
  void Unwatch(const Port& port) override { wait_->Remove(port); }
  Mailbox& mailbox() override { return *worker_->mailbox; }
  const WorkerCounters& counters() const override { return worker_->counters; }
  const LaneCounters& lane_counters(LaneIndex lane) const override {
    return worker_->lane_counters[lane.value];
  }
  const std::vector<int>& cpus() const override {
    return worker_->options.cpus;
  }

 private:
  static void* Main(void* self) {
    static_cast<ThreadedWorker*>(self)->Run();
    return nullptr;
  }

  void Run();
  void RunOnce();
  void ReadClocks(bool idle);
  void Sleep();
  uint64_t SleepTime() const;

  const std::unique_ptr<Worker> worker_;
  const std::unique_ptr<RxWait> wait_;
  IdlePolicy idle_;
  std::atomic<bool> running_{false};
  bool started_ = false;
  pthread_t thread_{};
  uint64_t cycles_ = 0;  // TSC and clock when they were read last
  uint64_t now_us_ = 0;
};

bool ThreadedWorker::Start(std::string& error) {
  running_.store(true);
  // The thread inherits what its maker has for a moment.
  const ScopedAffinity keep_affinity;
  const absl::Status placed = SetThreadAffinity(cpus());
  if (!placed.ok()) {
    error =
        std::string("cannot start a worker: ") + std::string(placed.message());
    return false;
  }
  const int failed = pthread_create(&thread_, nullptr, &Main, this);
  if (failed != 0) {
    error = std::string("cannot start a worker on CPUs ") +
            FormatCpuList(cpus()) + ": " + std::strerror(failed);
    return false;
  }
  const std::string name =
      "lwt-worker-" + std::to_string(worker_->options.index.value);
  pthread_setname_np(thread_, name.substr(0, 15).c_str());
  started_ = true;
  return true;
}

void ThreadedWorker::Stop() {
  if (!started_) return;
  running_.store(false);
  wait_->Kick();
  pthread_join(thread_, nullptr);
  started_ = false;
}

void ThreadedWorker::Run() {
  rte_thread_register();
  worker_->mailbox->AttachWorker(wait_.get());
  cycles_ = rte_rdtsc();
  now_us_ = MonotonicUs();
  while (running_.load(std::memory_order_relaxed)) RunOnce();
  RunOnce();  // what control asked for last: close records and FINs
  worker_->mailbox->AttachWorker(nullptr);
  rte_thread_unregister();
}

void ThreadedWorker::RunOnce() {
  Worker& worker = *worker_;
  worker.now_us = now_us_;
  RunLoopOnce(worker);
  ReadClocks(!worker.worked);
  switch (idle_.Next(worker.worked, now_us_)) {
    case IdlePolicy::Step::kPoll:
      break;
    case IdlePolicy::Step::kRelax:
      rte_pause();
      break;
    case IdlePolicy::Step::kSleep:
      Sleep();
      break;
  }
}

// What passed since the last reading counts as idle or as busy.
void ThreadedWorker::ReadClocks(bool idle) {
  Counter& counter =
      idle ? worker_->counters.idle_cycles : worker_->counters.busy_cycles;
  const uint64_t cycles = rte_rdtsc();
  counter.Add(CyclesBetween(cycles_, cycles));
  cycles_ = cycles;
  now_us_ = MonotonicUs();
}

uint64_t ThreadedWorker::SleepTime() const {
  const uint64_t deadline = std::min(worker_->tcp.NextDeadline(),
                                     worker_->outbound.encoder.NextDeadline());
  const uint64_t until = deadline > now_us_ ? deadline - now_us_ : 0;
  const OutboundState& outbound = worker_->outbound;
  const bool waits =
      !outbound.waiting_lanes.empty() || !outbound.floods.empty();
  const uint64_t longest = waits ? kWaitingSleepUs : kLongestSleepUs;
  return std::min(until, longest);
}

void ThreadedWorker::Sleep() {
  Worker& worker = *worker_;
  worker.mailbox->Park();
  const bool something_waits =
      worker.mailbox->HasCommands() ||
      (worker.options.handoff != nullptr &&
       worker.options.handoff->HasFor(worker.options.index));
  const bool stopping = !running_.load(std::memory_order_relaxed);
  const uint64_t time = SleepTime();
  if (!something_waits && !stopping && time > 0) {
    worker.counters.sleeps.Add(1);
    wait_->Wait(time);
  }
  worker.mailbox->Unpark();
  ReadClocks(/*idle=*/true);
}

}  // namespace

std::unique_ptr<WorkerThread> WorkerThread::Create(const WorkerOptions& options,
                                                   std::string& error) {
  auto mailbox = Mailbox::Create("lwt" + std::to_string(options.index.value));
  if (mailbox == nullptr) {
    error = "no memory for the rings between control and a worker";
    return nullptr;
  }
  auto aead = Aead::Create();
  if (!aead) {
    error = "the CPU offers no AES-GCM: AES and PCLMULQDQ are needed";
    return nullptr;
  }
  std::vector<Port*> ports = {options.uplink, options.tunnel};
  for (Port* port : {options.lan, options.twin}) {
    if (port != nullptr) ports.push_back(port);
  }
  auto wait = RxWait::Create(ports);
  if (!wait.ok()) {
    error = wait.status().ToString();
    return nullptr;
  }
  if (options.handoff != nullptr) {
    options.handoff->Attach(options.index, mailbox.get());
  }
  // The same for all workers of a process, since they share the CPU.
  static const ReedSolomon::Code code = ReedSolomon::Calibrate(*aead);
  WorkerOptions complete = options;
  complete.fec_code = code;
  auto worker =
      std::make_unique<Worker>(complete, std::move(*aead), std::move(mailbox));
  return std::make_unique<ThreadedWorker>(std::move(worker), std::move(*wait));
}

}  // namespace lwt
