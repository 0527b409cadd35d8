// The mailbox between two threads, and a worker's thread that sleeps and wakes.
#include <gtest/gtest.h>
#include <poll.h>
#include <rte_lcore.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <random>
#include <thread>

#include "dataplane/exchange/mailbox.h"
#include "dataplane/worker.h"
#include "drivers/ports/ring.h"
#include "tests/concurrency/dataplane/exchange/sleep_bounds.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kCommands = 100'000;

std::unique_ptr<const Snapshot> SnapshotOf(uint64_t version) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = version;
  snapshot->peers.resize(1 + version % 5);
  for (SnapshotPeer& peer : snapshot->peers) {
    peer.inner_mtu = static_cast<uint16_t>(version);
  }
  return snapshot;
}

// A worker that answers each command by an event with its token.
class Echo {
 public:
  Echo(Mailbox& box, RxWait& wait) : box_(box), wait_(wait) {}

  void Run() {
    rte_thread_register();
    box_.AttachWorker(&wait_);
    while (answered_ < kCommands && !lost_) {
      bool worked = CheckSnapshot();
      while (Command* const command = box_.NextCommand()) {
        const uint32_t token = std::get<ProbeLaneCommand>(*command).token;
        in_order_ = in_order_ && token == next_++;
        box_.Done(command);
        answers_.push_back(token);
        worked = true;
      }
      worked = Answer() || worked;
      box_.KickControl();
      box_.ReportQuiescent();
      if (!worked) Sleep();
    }
    box_.AttachWorker(nullptr);
    rte_thread_unregister();
  }

  bool in_order() const { return in_order_; }
  bool whole() const { return whole_; }
  bool lost() const { return lost_; }
  int sleeps() const { return sleeps_; }

 private:
  // True when the snapshot is another one than before.
  bool CheckSnapshot() {
    const Snapshot* const snapshot = box_.snapshot();
    if (snapshot == nullptr) return false;
    const uint64_t version = snapshot->version;
    whole_ = whole_ && version >= version_ &&
             snapshot->peers.size() == 1 + version % 5;
    for (const SnapshotPeer& peer : snapshot->peers) {
      whole_ = whole_ && peer.inner_mtu == static_cast<uint16_t>(version);
    }
    return std::exchange(version_, version) != version;
  }

  bool Answer() {
    const bool any = !answers_.empty();
    Event event;
    event.kind = EventKind::kReportAnswer;
    while (!answers_.empty()) {
      event.token = answers_.front();
      if (!box_.Report(event)) break;
      answers_.pop_front();
      ++answered_;
    }
    return any;
  }

  void Sleep() {
    box_.Park();
    if (!box_.HasCommands()) {
      const auto start = Clock::now();
      wait_.Wait(kSleepUs);
      lost_ = lost_ || Clock::now() - start > kLost;
      ++sleeps_;
    }
    box_.Unpark();
  }

  Mailbox& box_;
  RxWait& wait_;
  std::deque<uint32_t> answers_;
  uint32_t next_ = 0;
  uint32_t answered_ = 0;
  uint64_t version_ = 0;
  bool in_order_ = true;
  bool whole_ = true;
  bool lost_ = false;
  int sleeps_ = 0;
};

// Control's side: asks, and checks the answers.
class Asker {
 public:
  explicit Asker(Mailbox& box) : box_(box) {}

  void Run() {
    while (answered_ < kCommands && !lost_) {
      if (sent_ - answered_ < limit_ && sent_ < kCommands) SendSome();
      box_.Collect();
      if (!TakeEvents()) Sleep();
    }
  }

  bool in_order() const { return in_order_; }
  bool lost() const { return lost_; }
  int sleeps() const { return sleeps_; }

 private:
  void SendSome() {
    box_.Publish(SnapshotOf(++version_));
    // Mostly a few, so that both sides sleep often; at times more than fit.
    const bool many = random_() % 500 == 0;
    uint32_t count = static_cast<uint32_t>(random_() % (many ? 3000 : 20)) + 1;
    limit_ = static_cast<uint32_t>(random_() % 10) + 1;
    for (; count > 0 && sent_ < kCommands; --count) {
      box_.Send(ProbeLaneCommand{{0}, sent_++});
    }
  }

  bool TakeEvents() {
    Event event;
    bool any = false;
    while (box_.PollEvent(event)) {
      in_order_ = in_order_ && event.token == answered_;
      ++answered_;
      any = true;
    }
    return any;
  }

  void Sleep() {
    if (!box_.PrepareSleep()) return;
    const auto start = Clock::now();
    pollfd fd{box_.event_fd(), POLLIN, 0};
    poll(&fd, 1, static_cast<int>(kSleepUs / 1000));
    lost_ = lost_ || Clock::now() - start > kLost;
    ++sleeps_;
    box_.AfterSleep();
  }

  Mailbox& box_;
  std::mt19937 random_{1};
  uint64_t version_ = 0;
  uint32_t limit_ = 1;
  uint32_t sent_ = 0;
  uint32_t answered_ = 0;
  bool in_order_ = true;
  bool lost_ = false;
  int sleeps_ = 0;
};

TEST(MailboxThreads, NothingIsLostAndNobodyOversleeps) {
  testing::StartTestEal();
  const auto box = Mailbox::Create("threads");
  ASSERT_NE(box, nullptr);
  const auto wait = RxWait::Create({});
  ASSERT_TRUE(wait.ok());
  Echo echo(*box, **wait);
  Asker asker(*box);
  std::thread worker([&] { echo.Run(); });
  asker.Run();
  worker.join();
  EXPECT_TRUE(echo.in_order());
  EXPECT_TRUE(asker.in_order());
  EXPECT_TRUE(echo.whole());
  EXPECT_FALSE(echo.lost());
  EXPECT_FALSE(asker.lost());
  EXPECT_GT(echo.sleeps(), 0);
  EXPECT_GT(asker.sleeps(), 0);
}

int FirstCpu() {
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof(cpus), &cpus);
  int cpu = 0;
  while (!CPU_ISSET(static_cast<size_t>(cpu), &cpus)) ++cpu;
  return cpu;
}

// Polls `condition` until it holds or the time a lost wake-up takes is over.
template <typename Condition>
bool Eventually(const Condition& condition) {
  const auto start = Clock::now();
  while (!condition()) {
    if (Clock::now() - start > kLost) return false;
    sched_yield();
  }
  return true;
}

// A worker's longest sleep is a second: that late came what no wake-up told of.
constexpr std::chrono::milliseconds kLate{900};
constexpr int kWakeUps = 300;
// What a busy machine may delay of them.
constexpr int kMaxLate = kWakeUps / 20;

// A worker's real thread over ring ports with wait descriptors.
class WorkerThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::StartTestEal();
    Open("wu", 14, uplink_, uplink_far_);
    Open("wt", 0, tunnel_, tunnel_far_);
    WorkerOptions options;
    options.cpus = {FirstCpu()};
    options.uplink = uplink_.get();
    options.tunnel = tunnel_.get();
    options.pool = testing::TestPool();
    options.max_lanes = 4;
    options.arena_bytes = 1u << 20;
    std::string error;
    worker_ = WorkerThread::Create(options, error);
    ASSERT_NE(worker_, nullptr) << error;
    worker_->mailbox().Publish(testing::OnePeer({"10.0.0.2/32"}));
    ASSERT_TRUE(worker_->Start(error)) << error;
  }

  static void Open(const std::string& name, uint8_t link_header_size,
                   std::unique_ptr<Port>& near, std::unique_ptr<Port>& far) {
    RingSpec spec;
    spec.name = name + std::to_string(opened_++);
    spec.link_header_size = link_header_size;
    auto pair = OpenRingPair(spec);
    ASSERT_TRUE(pair.ok()) << pair.status();
    std::tie(near, far) = std::move(*pair);
  }

  // Gives one frame to the worker's uplink.
  void GiveFrame() {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(testing::TestPool());
    ASSERT_NE(mbuf, nullptr);
    char* const bytes = rte_pktmbuf_append(mbuf, 60);
    std::fill_n(bytes, 60, '\0');
    mbuf->l2_len = 14;
    std::array<rte_mbuf*, 1> one = {mbuf};
    ASSERT_EQ(uplink_far_->Transmit(one), 1);
  }

  uint64_t sleeps() const { return worker_->counters().sleeps.Get(); }
  uint64_t received() const {
    return worker_->counters().uplink_rx_frames.Get();
  }
  static inline int opened_ = 0;
  std::unique_ptr<Port> uplink_;
  std::unique_ptr<Port> uplink_far_;
  std::unique_ptr<Port> tunnel_;
  std::unique_ptr<Port> tunnel_far_;
  std::unique_ptr<WorkerThread> worker_;
};

TEST_F(WorkerThreadTest, FirstFrameWakesASleepingWorker) {
  int late = 0;
  ASSERT_TRUE(Eventually([&] { return sleeps() > 0; }));
  for (uint64_t frame = 1; frame <= kWakeUps; ++frame) {
    const uint64_t before = sleeps();
    const auto start = Clock::now();
    GiveFrame();
    ASSERT_TRUE(Eventually([&] { return received() == frame; })) << frame;
    late += Clock::now() - start > kLate ? 1 : 0;
    ASSERT_TRUE(Eventually([&] { return sleeps() > before; })) << frame;
  }
  EXPECT_LE(late, kMaxLate);
}

TEST_F(WorkerThreadTest, CommandWakesASleepingWorker) {
  const Endpoint local = *ParseEndpoint("192.0.2.9:9");
  int late = 0;
  ASSERT_TRUE(Eventually([&] { return sleeps() > 0; }));
  for (int i = 0; i < kWakeUps; ++i) {
    const uint64_t before = sleeps();
    const auto start = Clock::now();
    worker_->mailbox().Send(ListenCommand{{local}});
    ASSERT_TRUE(Eventually([&] {
      return !worker_->mailbox().HasCommands() && sleeps() > before;
    })) << i;
    late += Clock::now() - start > kLate ? 1 : 0;
    worker_->mailbox().Collect();
  }
  EXPECT_LE(late, kMaxLate);
}

TEST_F(WorkerThreadTest, StopEndsASleep) {
  ASSERT_TRUE(Eventually([&] { return sleeps() > 0; }));
  const auto start = Clock::now();
  worker_->Stop();
  EXPECT_LT(Clock::now() - start, kLost);
}

}  // namespace
}  // namespace lwt
