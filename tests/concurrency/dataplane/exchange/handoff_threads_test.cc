// Two workers that give each other frames, and sleep when they have none.
#include <gtest/gtest.h>
#include <rte_lcore.h>

#include <chrono>
#include <random>
#include <thread>

#include "dataplane/exchange/handoff.h"
#include "tests/concurrency/dataplane/exchange/sleep_bounds.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kFrames = 200'000;

// Gives its frames to the other end, in order, and checks those that come.
class End {
 public:
  End(Handoff& handoff, Mailbox& box, RxWait& wait, WorkerIndex index)
      : handoff_(handoff),
        box_(box),
        wait_(wait),
        index_(index),
        random_(index.value + 1) {}

  void Run() {
    rte_thread_register();
    box_.AttachWorker(&wait_);
    while ((taken_ < kFrames || given_ < kFrames) && !lost_) {
      const bool took = TakeSome();
      // Mostly a few, seldom more than the ring holds; and not each time, so
      // that both sleep often.
      const bool gave = random_() % 2 == 0 && GiveSome();
      handoff_.WakeReceivers(index_);
      box_.ReportQuiescent();
      if (!took && !gave && taken_ < given_) Sleep();
    }
    box_.AttachWorker(nullptr);
    rte_thread_unregister();
  }

  bool in_order() const { return in_order_; }
  bool lost() const { return lost_; }
  uint32_t taken() const { return taken_; }
  int sleeps() const { return sleeps_; }

 private:
  bool TakeSome() {
    std::array<Frame, 16> frames;
    const size_t count = handoff_.Take(Handoff::Road::kPackets, index_, frames);
    for (size_t i = 0; i < count; ++i) {
      in_order_ = in_order_ && frames[i].length == taken_ &&
                  frames[i].stream_offset == ~uint64_t{taken_};
      ++taken_;
    }
    return count > 0;
  }

  bool GiveSome() {
    // No further ahead than the other end answers.
    if (given_ > taken_ + 600) return false;
    const bool many = random_() % 300 == 0;
    uint32_t count = random_() % (many ? 900 : 8) + 1;
    const uint32_t before = given_;
    for (; count > 0 && given_ < kFrames; --count) {
      Frame frame;
      frame.length = given_;
      frame.stream_offset = ~uint64_t{given_};
      if (!handoff_.Give(Handoff::Road::kPackets, index_, {1 - index_.value},
                         frame)) {
        break;
      }
      ++given_;
    }
    return given_ > before;
  }

  void Sleep() {
    box_.Park();
    if (!handoff_.HasFor(index_)) {
      const auto start = Clock::now();
      wait_.Wait(kSleepUs);
      lost_ = lost_ || Clock::now() - start > kLost;
      ++sleeps_;
    }
    box_.Unpark();
  }

  Handoff& handoff_;
  Mailbox& box_;
  RxWait& wait_;
  const WorkerIndex index_;
  std::mt19937 random_;
  uint32_t given_ = 0;
  uint32_t taken_ = 0;
  bool in_order_ = true;
  bool lost_ = false;
  int sleeps_ = 0;
};

TEST(HandoffThreads, NothingIsLostAndNobodyOversleeps) {
  testing::StartTestEal();
  const auto handoff = Handoff::Create("hot", 2);
  ASSERT_NE(handoff, nullptr);
  const std::unique_ptr<Mailbox> boxes[] = {Mailbox::Create("hot0"),
                                            Mailbox::Create("hot1")};
  const std::unique_ptr<RxWait> waits[] = {*RxWait::Create({}),
                                           *RxWait::Create({})};
  for (uint32_t i = 0; i < 2; ++i) handoff->Attach({i}, boxes[i].get());
  End left(*handoff, *boxes[0], *waits[0], {0});
  End right(*handoff, *boxes[1], *waits[1], {1});
  std::thread other([&] { right.Run(); });
  left.Run();
  other.join();
  for (const End* end : {&left, &right}) {
    EXPECT_TRUE(end->in_order());
    EXPECT_FALSE(end->lost());
    EXPECT_EQ(end->taken(), kFrames);
  }
  EXPECT_GT(left.sleeps() + right.sleeps(), 0);
}

}  // namespace
}  // namespace lwt
