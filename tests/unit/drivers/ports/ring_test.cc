#include "drivers/ports/ring.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "drivers/rx_wait.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

constexpr uint16_t kSmallFrameRoom = 256 + RTE_PKTMBUF_HEADROOM;
constexpr uint64_t kLongUs = 5'000'000;

bool ReadableNow(int fd) {
  pollfd waiting = {fd, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

uint64_t NowUs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(now.tv_nsec) / 1000;
}

class RingTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    if (pool_ == nullptr) pool_ = MakePool("ring-test", 4095, kSmallFrameRoom);
  }
  void Open(bool wait_fds, uint32_t size) {
    RingSpec spec;
    spec.name = "test";
    spec.size = size;
    spec.wait_fds = wait_fds;
    auto pair = OpenRingPair(spec);
    ASSERT_TRUE(pair.ok()) << pair.status();
    left_ = std::move(pair->first);
    right_ = std::move(pair->second);
  }
  rte_mbuf* Frame(uint8_t value) { return MakeFrame(pool_, Bytes(60, value)); }

  static inline rte_mempool* pool_ = nullptr;
  std::unique_ptr<Port> left_;
  std::unique_ptr<Port> right_;
};

TEST_F(RingTest, CarriesBothWaysInOrderAndTakesPartOfABurst) {
  Open(false, 4);
  EXPECT_EQ(left_->wait_fd(), -1);
  std::array<rte_mbuf*, 6> out = {Frame(0), Frame(1), Frame(2),
                                  Frame(3), Frame(4), Frame(5)};
  EXPECT_EQ(left_->Transmit(out), 4);
  const std::vector<Bytes> got = ReceiveBytes(*right_, 4);
  ASSERT_EQ(got.size(), 4u);
  for (uint8_t i = 0; i < 4; ++i) EXPECT_EQ(got[i], Bytes(60, i));
  EXPECT_EQ(right_->Transmit(std::span(out).subspan(4)), 2);
  std::vector<rte_mbuf*> back = ReceiveFrames(*left_, 2);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0], out[4]);
  EXPECT_EQ(back[0]->l2_len, 14);
  for (rte_mbuf* frame : back) rte_pktmbuf_free(frame);
}

TEST_F(RingTest, WaitDescriptorFollowsTheContents) {
  Open(true, 64);
  EXPECT_FALSE(ReadableNow(right_->wait_fd()));
  std::array<rte_mbuf*, 3> out = {Frame(0), Frame(1), Frame(2)};
  ASSERT_EQ(left_->Transmit(out), 3);
  EXPECT_TRUE(ReadableNow(right_->wait_fd()));
  EXPECT_FALSE(ReadableNow(left_->wait_fd()));
  std::array<rte_mbuf*, 2> in{};
  ASSERT_EQ(right_->Receive(in), 2);
  EXPECT_TRUE(ReadableNow(right_->wait_fd()));
  rte_pktmbuf_free_bulk(in.data(), 2);
  ASSERT_EQ(right_->Receive(in), 1);
  EXPECT_FALSE(ReadableNow(right_->wait_fd()));
  rte_pktmbuf_free(in[0]);
}

// A lost wake-up would leave the reader asleep for five seconds.
TEST_F(RingTest, NoWakeUpIsLostBetweenThreads) {
  constexpr int kFrames = 200'000;
  Open(true, 256);
  Port* ports[] = {right_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  std::thread writer([this] {
    for (int sent = 0; sent < kFrames;) {
      rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
      if (frame == nullptr) {
        std::this_thread::yield();
        continue;
      }
      std::span<rte_mbuf*> one(&frame, 1);
      while (left_->Transmit(one) == 0) std::this_thread::yield();
      ++sent;
    }
  });
  const uint64_t start = NowUs();
  int received = 0;
  while (received < kFrames) {
    std::array<rte_mbuf*, 32> in{};
    const uint16_t n = right_->Receive(in);
    rte_pktmbuf_free_bulk(in.data(), n);
    received += n;
    if (n == 0) (*wait)->Wait(kLongUs);
  }
  EXPECT_LT(NowUs() - start, kLongUs);
  writer.join();
}

TEST_F(RingTest, FramesLeftInsideGoBackToThePool) {
  Open(true, 64);
  const unsigned free_before = rte_mempool_avail_count(pool_);
  std::array<rte_mbuf*, 2> out = {Frame(0), Frame(1)};
  ASSERT_EQ(left_->Transmit(out), 2);
  right_.reset();
  EXPECT_EQ(rte_mempool_avail_count(pool_), free_before - 2);
  left_.reset();
  EXPECT_EQ(rte_mempool_avail_count(pool_), free_before);
}

TEST_F(RingTest, RefusesNamesThatDpdkCannotTake) {
  RingSpec spec;
  EXPECT_EQ(OpenRingPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
  spec.name = std::string(21, 'x');
  EXPECT_EQ(OpenRingPair(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(RingTest, KickEndsTheWaitBeforeAndDuring) {
  Open(true, 64);
  Port* ports[] = {right_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  uint64_t start = NowUs();
  (*wait)->Kick();
  (*wait)->Wait(kLongUs);
  EXPECT_LT(NowUs() - start, kLongUs / 2);
  // The kick is used up: the next wait takes its time.
  start = NowUs();
  (*wait)->Wait(3000);
  EXPECT_GE(NowUs() - start, 3000u);
  std::thread kicker([&] { (*wait)->Kick(); });
  start = NowUs();
  (*wait)->Wait(kLongUs);
  EXPECT_LT(NowUs() - start, kLongUs / 2);
  kicker.join();
}

TEST_F(RingTest, WaitEndsAtOnceWhenAFrameIsThere) {
  Open(true, 64);
  Port* ports[] = {right_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  rte_mbuf* frame = Frame(1);
  ASSERT_EQ(left_->Transmit(std::span(&frame, 1)), 1);
  const uint64_t start = NowUs();
  (*wait)->Wait(kLongUs);
  EXPECT_LT(NowUs() - start, kLongUs / 2);
}

TEST_F(RingTest, PortThatMustBePolledCapsTheWait) {
  Open(false, 64);
  Port* ports[] = {right_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  const uint64_t start = NowUs();
  (*wait)->Wait(kLongUs);
  const uint64_t slept = NowUs() - start;
  EXPECT_GE(slept, RxWait::kPolledPortTimeoutUs);
  EXPECT_LT(slept, kLongUs / 2);
}

}  // namespace
}  // namespace lwt
