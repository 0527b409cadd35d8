#include "dataplane/flow/tcp_rtt.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt {
namespace {

using test::LinkConfig;
using test::RigConfig;
using test::TcpRig;

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

// By then the SYN was sent several times, and so was its answer.
TEST(TcpRtt, OnALongWayIsThatOfTheCopyThatWasAnswered) {
  LinkConfig link;
  link.delay_us = 2'500'000;
  TcpRig rig(RigConfig(1), RigConfig(2), link, 3);
  ASSERT_TRUE(rig.Open());
  for (TcpRig::Side* side : {&rig.client, &rig.hub}) {
    const auto stats = side->tcp->Stats(side->flow);
    ASSERT_TRUE(stats.has_value());
    EXPECT_NEAR(stats->srtt_us, 5'000'000, 2000);
  }
}

}  // namespace
}  // namespace lwt
