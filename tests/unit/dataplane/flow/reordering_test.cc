// What a sender takes for loss where segments only overtake each other
// (RFC 8985 §6.2): nothing is lost here, so all that is sent again is in vain.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

class ReorderingTest : public testing::Test {
 protected:
  void SetUp() override {
    rig_.link.jitter_us = 2000;
    ASSERT_TRUE(rig_.Open());
    // The first duplicate tells that the path reorders.
    SendFor(2'000'000);
  }
  // A segment each half a millisecond; how many are sent again meanwhile.
  uint64_t SendFor(uint64_t time_us) {
    const uint64_t before = SentAgain();
    const uint64_t end = rig_.now_us + time_us;
    while (rig_.now_us < end) {
      rig_.Send(rig_.client, 1000);
      rig_.FlushBoth();
      rig_.RunTo(rig_.now_us + 500);
    }
    return SentAgain() - before;
  }
  uint64_t SentAgain() {
    return rig_.client.tcp->Stats(rig_.client.flow)->segments_retransmitted;
  }

  TcpRig rig_{RigConfig(1), RigConfig(2), LinkConfig{}, 5};
};

TEST_F(ReorderingTest, WithinAQuarterOfTheRoundTripNothingIsSentAgain) {
  EXPECT_EQ(SendFor(2'000'000), 0u);
}

TEST_F(ReorderingTest, ARoundTripThatGrowsAtOnceIsNoLoss) {
  rig_.link.delay_us = 40'000;
  EXPECT_LE(SendFor(1'000'000), 1u);
}

TEST_F(ReorderingTest, TheWindowGrowsWithRepairsInVainAndShrinksAgain) {
  rig_.link.jitter_us = 15'000;
  const uint64_t at_first = SendFor(1'000'000);
  EXPECT_GT(at_first, 10u);
  EXPECT_LT(SendFor(1'000'000), at_first / 5);
  // Losses in order: each is a recovery that no duplicate follows.
  rig_.link.jitter_us = 0;
  rig_.link.loss = 0.02;
  SendFor(4'000'000);
  rig_.link.loss = 0;
  rig_.link.jitter_us = 15'000;
  EXPECT_GT(SendFor(1'000'000), at_first / 5) << "it did not shrink";
}

}  // namespace
}  // namespace lwt::test
