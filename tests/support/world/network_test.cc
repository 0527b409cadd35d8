#include "tests/support/world/network.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/world/nat_lab.h"
#include "tests/support/world/tcp_frame.h"

namespace lwt::world {
namespace {

constexpr uint64_t kHopUs = 10'000;

class Sink final : public Host {
 public:
  explicit Sink(const uint64_t& now_us) : now_us_(now_us) {}
  void Arrive(Frame frame) override {
    const auto segment = SegmentOf(frame.bytes);
    numbers.push_back(segment ? segment->seq : 0);
    times.push_back(now_us_);
  }
  std::vector<uint32_t> numbers;
  std::vector<uint64_t> times;

 private:
  const uint64_t& now_us_;
};

class NetworkTest : public testing::Test {
 protected:
  Frame FrameTo(const char* to, uint32_t number = 0, size_t payload = 0) {
    TcpSegment segment;
    segment.source = At("192.0.2.1", 1);
    segment.destination = At(to, 2);
    segment.seq = number;
    return {FrameOf(segment, 64, std::vector<uint8_t>(payload)), false};
  }
  void Run(uint64_t for_us) {
    const uint64_t until_us = now_us_ + for_us;
    while (now_us_ < until_us) {
      network_.RunDue();
      now_us_ = std::min(until_us, network_.NextUs());
    }
    network_.RunDue();
  }

  uint64_t now_us_ = 0;
  Network network_{now_us_};
  Sink one_{now_us_};
  Sink other_{now_us_};
};

TEST_F(NetworkTest, TheLongestPrefixHasTheFrame) {
  network_.Attach(*ParseIpPrefix("0.0.0.0/0"), &other_, kHopUs);
  network_.Attach(*ParseIpPrefix("10.0.0.0/8"), &one_, kHopUs);
  network_.Attach(Address("10.0.0.9"), &other_, kHopUs);
  network_.Send(FrameTo("10.0.0.1", 1));
  network_.Send(FrameTo("10.0.0.9", 2));
  network_.Send(FrameTo("192.0.2.9", 3));
  Run(kHopUs);
  EXPECT_EQ(one_.numbers, (std::vector<uint32_t>{1}));
  EXPECT_EQ(other_.numbers, (std::vector<uint32_t>{2, 3}));
  EXPECT_EQ(other_.times.back(), kHopUs);
}

TEST_F(NetworkTest, WhatIsForNobodyIsLost) {
  network_.Attach(Address("10.0.0.1"), &one_, kHopUs);
  network_.Send(FrameTo("10.0.0.2"));
  EXPECT_EQ(network_.astray(), 1u);
  network_.Send(FrameTo("10.0.0.1"));
  network_.Detach(Address("10.0.0.1"));
  Run(kHopUs);
  EXPECT_EQ(network_.astray(), 2u);
  EXPECT_TRUE(one_.numbers.empty());
}

TEST_F(NetworkTest, AHopIsTakenOfEachFrame) {
  Network routed(now_us_, 2);
  routed.Attach(Address("10.0.0.1"), &one_, 0);
  TcpSegment segment;
  segment.source = At("192.0.2.1", 1);
  segment.destination = At("10.0.0.1", 2);
  routed.Send({FrameOf(segment, 2), false});
  routed.Send({FrameOf(segment, 3), false});
  routed.RunDue();
  EXPECT_EQ(routed.expired(), 1u);
  EXPECT_EQ(one_.numbers.size(), 1u);
}

TEST_F(NetworkTest, ABadWayLosesBothWaysAndDelays) {
  network_.Attach(Address("10.0.0.1"), &one_, kHopUs);
  network_.Attach(Address("192.0.2.1"), &other_, kHopUs);
  constexpr uint32_t kFrames = 4000;
  Impairment bad;
  bad.to = {.delay_us = 50'000, .loss = 0.1};
  bad.from = {.loss = 0.2};
  network_.Impair(Address("192.0.2.1"), bad);
  for (uint32_t i = 0; i < kFrames; ++i) {
    network_.Send(FrameTo("10.0.0.1", i));
    TcpSegment back;
    back.source = At("10.0.0.1", 2);
    back.destination = At("192.0.2.1", 1);
    network_.Send({FrameOf(back), false});
  }
  Run(NatLab::kS);
  EXPECT_NEAR(one_.numbers.size(), 0.8 * kFrames, 0.04 * kFrames);
  EXPECT_NEAR(other_.numbers.size(), 0.9 * kFrames, 0.04 * kFrames);
  EXPECT_EQ(one_.times.front(), kHopUs);
  EXPECT_EQ(other_.times.front(), kHopUs + 50'000);
}

TEST_F(NetworkTest, FramesOvertakeOnABadWay) {
  network_.Attach(Address("10.0.0.1"), &one_, 0);
  Impairment bad;
  bad.to = {.reorder = 0.1, .reorder_us = 5000};
  network_.Impair(Address("10.0.0.1"), bad);
  for (uint32_t i = 0; i < 100; ++i) {
    network_.Send(FrameTo("10.0.0.1", i));
    Run(1000);
  }
  Run(NatLab::kS);
  ASSERT_EQ(one_.numbers.size(), 100u);
  EXPECT_FALSE(std::is_sorted(one_.numbers.begin(), one_.numbers.end()));
}

TEST_F(NetworkTest, ASlowWayTakesItsTime) {
  network_.Attach(Address("10.0.0.1"), &one_, 0);
  Impairment slow;
  slow.to = {.rate_bps = 8'000'000};  // a byte a microsecond
  network_.Impair(Address("10.0.0.1"), slow);
  const size_t size = FrameTo("10.0.0.1", 0, 1000).bytes.size();
  for (uint32_t i = 0; i < 10; ++i) {
    network_.Send(FrameTo("10.0.0.1", i, 1000));
  }
  Run(NatLab::kS);
  ASSERT_EQ(one_.times.size(), 10u);
  EXPECT_EQ(one_.times.back(), 10 * size);
}

TEST_F(NetworkTest, ANarrowWayTakesNoLargeOnes) {
  network_.Attach(Address("10.0.0.1"), &one_, 0);
  network_.Attach(Address("192.0.2.1"), &other_, 0);
  Impairment narrow;
  narrow.mtu = 1000;
  network_.Impair(Address("10.0.0.1"), narrow);
  network_.Send(FrameTo("10.0.0.1", 1, 960));
  network_.Send(FrameTo("10.0.0.1", 2, 961));
  TcpSegment back;
  back.source = At("10.0.0.1", 2);
  back.destination = At("192.0.2.1", 1);
  network_.Send({FrameOf(back, 64, std::vector<uint8_t>(961)), false});
  Run(NatLab::kS);
  EXPECT_EQ(one_.numbers, (std::vector<uint32_t>{1}));
  EXPECT_TRUE(other_.numbers.empty());
  EXPECT_EQ(network_.too_big(), 2u);
}

}  // namespace
}  // namespace lwt::world
