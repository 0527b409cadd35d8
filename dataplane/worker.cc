#include "dataplane/worker.h"

#include <pthread.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_thread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/idle_policy.h"
#include "dataplane/loop.h"
#include "dataplane/worker_state.h"
#include "drivers/rx_wait.h"

namespace lwt {
namespace {

// No sleep is longer, so that a deadline that was missed costs little.
constexpr uint64_t kLongestSleepUs = 1'000'000;
// While shards wait for a window, their time limit is looked at this often.
constexpr uint64_t kWaitingSleepUs = 1'000;

class PinnedWorker final : public WorkerThread {
 public:
  PinnedWorker(std::unique_ptr<Worker> worker, std::unique_ptr<RxWait> wait)
      : worker_(std::move(worker)),
        wait_(std::move(wait)),
        idle_(worker_->options.idle) {}

  ~PinnedWorker() override { Stop(); }

  bool Start(std::string& error) override;
  void Stop() override;
  Mailbox& mailbox() override { return *worker_->mailbox; }
  const WorkerCounters& counters() const override { return worker_->counters; }
  const LaneCounters& lane_counters(uint32_t lane) const override {
    return worker_->lane_counters[lane];
  }
  uint64_t NowUs() const override { return worker_->clock.NowUs(); }
  int cpu() const override { return worker_->options.cpu; }

 private:
  static void* Main(void* self) {
    static_cast<PinnedWorker*>(self)->Run();
    return nullptr;
  }

  void Run();
  void RunOnce();
  void CountCycles(uint64_t now, bool idle);
  void Sleep();
  uint64_t SleepTime() const;

  const std::unique_ptr<Worker> worker_;
  const std::unique_ptr<RxWait> wait_;
  IdlePolicy idle_;
  std::atomic<bool> running_{false};
  bool started_ = false;
  pthread_t thread_{};
  uint64_t cycles_ = 0;
};

bool PinnedWorker::Start(std::string& error) {
  running_.store(true);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<size_t>(worker_->options.cpu), &cpus);
  pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
  const int failed = pthread_create(&thread_, &attributes, &Main, this);
  pthread_attr_destroy(&attributes);
  if (failed != 0) {
    error = std::string("cannot start a worker on CPU ") +
            std::to_string(worker_->options.cpu) + ": " + std::strerror(failed);
    return false;
  }
  const std::string name = "lwt-worker-" + std::to_string(cpu());
  pthread_setname_np(thread_, name.substr(0, 15).c_str());
  started_ = true;
  return true;
}

void PinnedWorker::Stop() {
  if (!started_) return;
  running_.store(false);
  wait_->Kick();
  pthread_join(thread_, nullptr);
  started_ = false;
}

void PinnedWorker::Run() {
  rte_thread_register();
  worker_->mailbox->AttachWorker(wait_.get());
  cycles_ = rte_rdtsc();
  while (running_.load(std::memory_order_relaxed)) RunOnce();
  RunOnce();  // what control asked for last: close records and FINs
  worker_->mailbox->AttachWorker(nullptr);
  rte_thread_unregister();
}

void PinnedWorker::RunOnce() {
  Worker& worker = *worker_;
  worker.now_us = worker.clock.ToUs(cycles_);
  RunLoopOnce(worker);
  const uint64_t now = rte_rdtsc();
  CountCycles(now, !worker.worked);
  switch (idle_.Next(worker.worked, worker.clock.ToUs(now))) {
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

void PinnedWorker::CountCycles(uint64_t now, bool idle) {
  Counter& counter =
      idle ? worker_->counters.idle_cycles : worker_->counters.busy_cycles;
  counter.Add(now - cycles_);
  cycles_ = now;
}

uint64_t PinnedWorker::SleepTime() const {
  const uint64_t now_us = worker_->clock.NowUs();
  const uint64_t deadline = std::min(worker_->tcp.NextDeadline(),
                                     worker_->fec_encoder.NextDeadline());
  const uint64_t until = deadline > now_us ? deadline - now_us : 0;
  const uint64_t longest =
      worker_->waiting_lanes.empty() ? kLongestSleepUs : kWaitingSleepUs;
  return std::min(until, longest);
}

void PinnedWorker::Sleep() {
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
  CountCycles(rte_rdtsc(), /*idle=*/true);
}

}  // namespace

std::unique_ptr<WorkerThread> WorkerThread::Create(const WorkerOptions& options,
                                                   std::string& error) {
  auto mailbox = Mailbox::Create("lwt" + std::to_string(options.index));
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
  return std::make_unique<PinnedWorker>(std::move(worker), std::move(*wait));
}

}  // namespace lwt
