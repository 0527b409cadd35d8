// A hole that is not refilled crowds a flow towards the end of the largest
// window; what only fills a round trip does not.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint16_t kSegment = 1440;
constexpr uint64_t kRoundTrip = 50'000;
constexpr uint64_t kStep = 500;

OuterTcp::Config CrowdingConfig(uint8_t seed) {
  OuterTcp::Config config = RigConfig(seed);
  config.arena_bytes = size_t{64} << 20;
  return config;
}

class Crowding : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rig_.Open());
    // The window opens ahead of this.
    for (uint64_t segments = 10; segments < kFast; segments *= 2) {
      EXPECT_EQ(SendFor(kRoundTrip, segments), 0u);
    }
  }

  // Sends at so many segments a round trip; returns how many were refused.
  uint64_t SendFor(uint64_t time_us, uint64_t segments) {
    uint64_t refused = 0;
    uint64_t sent = 0;
    for (uint64_t at = kStep; at <= time_us; at += kStep) {
      for (; sent < segments * at / kRoundTrip; ++sent) {
        if (!rig_.Send(rig_.client, kSegment)) ++refused;
      }
      rig_.FlushBoth();
      rig_.RunTo(rig_.now_us + kStep);
      most_ = std::max(most_, Now());
    }
    return refused;
  }
  uint32_t Now() { return rig_.client.tcp->Crowding(rig_.client.flow); }
  // From now on loses whatever begins where the next segment does.
  void KeepHoleOpen() {
    rig_.filter = [this, hole = std::optional<uint32_t>()](
                      const wire::FrameView& view) mutable {
      if (view.tcp.payload.empty()) return true;
      if (!hole) hole = view.tcp.seq.value();
      return view.tcp.seq.value() != *hole;
    };
  }

  static constexpr uint64_t kFast = 2560;  // 3.7 MB a round trip

  TcpRig rig_{
      CrowdingConfig(1), CrowdingConfig(2), {.delay_us = kRoundTrip / 2}, 3};
  uint32_t most_ = 0;
};

TEST_F(Crowding, WhatFillsARoundTripIsNone) {
  // Half of the largest window in flight, and no hole.
  rig_.link.delay_us = 2 * kRoundTrip;
  EXPECT_EQ(SendFor(5 * kRoundTrip, kFast / 2), 0u);
  EXPECT_EQ(most_, 0u);
}

TEST_F(Crowding, AHoleRefilledInARoundTripIsNone) {
  rig_.link.loss = 0.01;
  SendFor(10 * kRoundTrip, 300);
  EXPECT_EQ(most_, 0u);
}

TEST_F(Crowding, AHoleThatStaysGrowsToAll) {
  KeepHoleOpen();
  SendFor(2 * kRoundTrip, kFast / 2);
  EXPECT_EQ(Now(), 0u) << "within the first quarter";
  uint32_t before = 0;
  for (int i = 0; i < 5; ++i) {
    SendFor(kRoundTrip, kFast / 2);
    EXPECT_GT(Now(), before);
    before = Now();
  }
  EXPECT_GT(SendFor(3 * kRoundTrip, kFast / 2), 0u) << "the window is full";
  EXPECT_GE(most_, 250u);
}

}  // namespace
}  // namespace lwt::test
