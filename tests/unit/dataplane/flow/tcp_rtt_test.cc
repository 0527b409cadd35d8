#include "dataplane/flow/tcp_rtt.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

TEST(TcpRtt, TheFloorOfTheTimeoutIsUnderTheVarianceAlone) {
  OuterFlow flow;
  MeasureRtt(flow, 50'000);
  EXPECT_EQ(flow.srtt_us, 50'000u);
  EXPECT_EQ(flow.rttvar_us, 25'000u);
  EXPECT_EQ(flow.rto_us, 50'000u + kMinRtoUs);
}

TEST(TcpRtt, ALargeVarianceCountsFourfold) {
  OuterFlow flow;
  MeasureRtt(flow, 400'000);
  EXPECT_EQ(flow.rto_us, 400'000u + 4 * 200'000u);
}

TEST(TcpRtt, TheTimeoutHasAnEnd) {
  OuterFlow flow;
  MeasureRtt(flow, 60'000'000);
  EXPECT_EQ(flow.rto_us, kMaxRtoUs);
}

TEST(TcpRtt, ASteadyRoundTripLeavesItselfAndTheFloor) {
  OuterFlow flow;
  for (int i = 0; i < 200; ++i) MeasureRtt(flow, 30'000);
  EXPECT_NEAR(flow.srtt_us, 30'000, 100);
  EXPECT_NEAR(flow.rto_us, 30'000 + kMinRtoUs, 100);
  EXPECT_EQ(flow.min_rtt_us, 30'000u);
}

}  // namespace
}  // namespace lwt
