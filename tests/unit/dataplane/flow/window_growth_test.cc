// The window that a receiver offers grows out of the way of a sender that
// doubles what it sends with each round trip, as TCP inside the tunnel does,
// with losses as without.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

OuterTcp::Config GrowthConfig(uint8_t seed) {
  OuterTcp::Config config = RigConfig(seed);
  config.arena_bytes = size_t{32} << 20;
  return config;
}

class WindowGrowth : public testing::TestWithParam<double> {};

TEST_P(WindowGrowth, KeepsAheadOfSlowStart) {
  TcpRig rig(GrowthConfig(1), GrowthConfig(2), {.delay_us = 25'000}, 3);
  ASSERT_TRUE(rig.Open());
  rig.link.loss = GetParam();
  constexpr uint64_t kRoundTripUs = 50'000;
  constexpr uint64_t kStepUs = 500;
  for (uint64_t segments = 10; segments <= 1280; segments *= 2) {
    uint64_t refused = 0;
    uint64_t sent = 0;
    for (uint64_t at = kStepUs; at <= kRoundTripUs; at += kStepUs) {
      for (; sent < segments * at / kRoundTripUs; ++sent) {
        if (!rig.Send(rig.client, 1440)) ++refused;
      }
      rig.FlushBoth();
      rig.RunTo(rig.now_us + kStepUs);
    }
    EXPECT_EQ(refused, 0u) << segments << " a round trip";
  }
}

INSTANTIATE_TEST_SUITE_P(Losses, WindowGrowth, testing::Values(0, 0.01, 0.03));

}  // namespace
}  // namespace lwt::test
