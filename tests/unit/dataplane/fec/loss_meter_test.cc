#include "dataplane/fec/loss_meter.h"

#include <gtest/gtest.h>

namespace lwt::fec {
namespace {

constexpr uint64_t kReorderUs = 10'000;

class LossMeterTest : public ::testing::Test {
 protected:
  // A record in no group, or the first of one.
  void See(uint64_t number) {
    meter_.Seen({.number = number, .data_since = number}, now_us_, kReorderUs);
  }
  // A record of the group that begins there.
  void SeeOfGroup(uint64_t number, uint64_t base) {
    meter_.Seen({.number = number, .data_since = base}, now_us_, kReorderUs);
  }
  void SeeParity(uint64_t number) {
    meter_.Seen({.number = number, .data_since = number, .is_shard = false},
                now_us_, kReorderUs);
  }

  LossMeter meter_;
  uint64_t now_us_ = 1'000'000;
};

TEST_F(LossMeterTest, NothingIsLostInOrder) {
  for (uint64_t i = 0; i < 100; ++i) See(i);
  EXPECT_EQ(meter_.next(), 100u);
  EXPECT_EQ(meter_.lost(), 0u);
  EXPECT_EQ(meter_.bursts(), 0u);
}

TEST_F(LossMeterTest, RunsOfMissingNumbersAreBursts) {
  for (const uint64_t i : {0, 1, 4, 5, 9, 10, 12}) See(i);
  EXPECT_EQ(meter_.lost(), 2u + 3u + 1u);
  EXPECT_EQ(meter_.bursts(), 3u);
}

TEST_F(LossMeterTest, ALittleLateIsReorderedNotLost) {
  for (const uint64_t i : {0, 3}) See(i);
  now_us_ += kReorderUs;
  See(1);
  EXPECT_EQ(meter_.lost(), 1u);
  EXPECT_EQ(meter_.bursts(), 1u);
  See(2);
  EXPECT_EQ(meter_.lost(), 0u);
  EXPECT_EQ(meter_.bursts(), 0u);
  EXPECT_EQ(meter_.resent(), 0u);
}

TEST_F(LossMeterTest, MuchLaterItWasSentAgain) {
  for (const uint64_t i : {0, 3}) See(i);
  now_us_ += kReorderUs + 1;
  See(1);
  EXPECT_EQ(meter_.lost(), 2u);
  EXPECT_EQ(meter_.resent(), 1u);
}

TEST_F(LossMeterTest, AParitySentAgainIsNoShardThatFecMissed) {
  for (const uint64_t i : {0, 4}) See(i);
  now_us_ += 2 * kReorderUs;
  SeeParity(1);
  EXPECT_EQ(meter_.lost(), 3u);
  EXPECT_EQ(meter_.resent(), 0u);
  EXPECT_EQ(meter_.resent_late(), 0u);
  See(2);
  EXPECT_EQ(meter_.resent(), 1u);
  EXPECT_EQ(meter_.resent_late(), 1u);
}

// Where a round trip is short, sending again is as good as FEC.
TEST_F(LossMeterTest, ResentAtOnceIsNotLate) {
  for (const uint64_t i : {0, 3}) See(i);
  now_us_ += 9000;
  meter_.Seen({.number = 1, .data_since = 1}, now_us_, /*reorder_us=*/100);
  EXPECT_EQ(meter_.resent(), 1u);
  EXPECT_EQ(meter_.resent_late(), 0u);
  now_us_ += 9000;
  meter_.Seen({.number = 2, .data_since = 2}, now_us_, /*reorder_us=*/100);
  EXPECT_EQ(meter_.resent(), 2u);
  EXPECT_EQ(meter_.resent_late(), 1u);
}

TEST_F(LossMeterTest, ANumberThatWasNoGapChangesNothing) {
  for (const uint64_t i : {0, 1, 3}) See(i);
  See(1);
  EXPECT_EQ(meter_.lost(), 1u);
  See(2);
  See(2);
  EXPECT_EQ(meter_.lost(), 0u);
}

TEST_F(LossMeterTest, OnlyTheLastGapsAreRemembered) {
  const uint64_t end = 2 * LossMeter::kGaps + 20;
  for (uint64_t i = 0; i < end; i += 2) See(i);
  const uint64_t lost = meter_.lost();
  EXPECT_EQ(lost, end / 2 - 1);
  // What is older stays lost.
  for (uint64_t i = 1; i < 18; i += 2) See(i);
  EXPECT_EQ(meter_.lost(), lost);
  for (uint64_t i = 19; i < end - 2; i += 2) See(i);
  EXPECT_EQ(meter_.lost(), lost - LossMeter::kGaps);
}

// 100 000 records a second over a round trip of 50 ms, of which one in ten
// takes 20 ms longer.
TEST_F(LossMeterTest, ReorderingOnAFastPathIsNoLoss) {
  constexpr uint64_t kBehind = 2000;
  for (uint64_t i = 0; i < 50'000; ++i) {
    const bool slow = i % 10 == 5;
    if (slow && i < kBehind) continue;
    const uint64_t number = slow ? i - kBehind : i;
    meter_.Seen({.number = number, .data_since = number}, now_us_,
                /*reorder_us=*/25'000);
    now_us_ += 10;
  }
  // Those that are still on their way.
  EXPECT_EQ(meter_.lost(), kBehind / 10);
  EXPECT_EQ(meter_.bursts(), kBehind / 10);
  EXPECT_EQ(meter_.resent(), 0u);
}

TEST_F(LossMeterTest, TheEndOfALongGapIsRemembered) {
  See(0);
  See(200'001);
  EXPECT_EQ(meter_.lost(), 200'000u);
  EXPECT_EQ(meter_.bursts(), 1u);
  See(200'000);
  EXPECT_EQ(meter_.lost(), 199'999u);
  See(1);
  EXPECT_EQ(meter_.lost(), 199'999u);
}

TEST_F(LossMeterTest, OnlyTheNextNumberIsInItsTurn) {
  EXPECT_TRUE(meter_.SeenInTurn(0));
  EXPECT_FALSE(meter_.SeenInTurn(2));
  EXPECT_FALSE(meter_.SeenInTurn(0));
  EXPECT_TRUE(meter_.SeenInTurn(1));
  EXPECT_EQ(meter_.next(), 2u);
}

// A group of ten and its three parities, all in order, and the next group.
TEST_F(LossMeterTest, ParitiesInTheirTurnMayStaySealed) {
  meter_.ExpectParities(3);
  for (uint64_t i = 0; i < 10; ++i) SeeOfGroup(i, 0);
  for (uint64_t i = 10; i < 13; ++i) EXPECT_TRUE(meter_.SeenSealed(i));
  EXPECT_EQ(meter_.next(), 10u) << "nothing has proven more";
  SeeOfGroup(13, 13);
  EXPECT_EQ(meter_.next(), 14u);
  EXPECT_EQ(meter_.lost(), 0u);
  EXPECT_TRUE(meter_.SeenInTurn(14));
}

// A lost one of them, and a lost last shard, are found out by opening the next.
TEST_F(LossMeterTest, LossesAmongParitiesCount) {
  meter_.ExpectParities(3);
  for (uint64_t i = 0; i < 9; ++i) SeeOfGroup(i, 0);
  EXPECT_FALSE(meter_.SeenSealed(10));
  SeeParity(10);
  EXPECT_TRUE(meter_.SeenSealed(11));
  SeeOfGroup(13, 13);
  EXPECT_EQ(meter_.lost(), 2u);
  EXPECT_EQ(meter_.bursts(), 2u);
}

TEST_F(LossMeterTest, AForgedNumberMakesNoLoss) {
  meter_.ExpectParities(3);
  for (uint64_t i = 0; i < 5; ++i) SeeOfGroup(i, 0);
  for (const uint64_t forged : {6, 100, 4000, 0, 3, 1 << 30}) {
    EXPECT_FALSE(meter_.SeenSealed(forged));
  }
  // The very next number is data's, which comes.
  EXPECT_TRUE(meter_.SeenSealed(5));
  EXPECT_EQ(meter_.next(), 5u);
  for (uint64_t i = 5; i < 10; ++i) SeeOfGroup(i, 0);
  EXPECT_EQ(meter_.next(), 10u);
  EXPECT_EQ(meter_.lost(), 0u);
  EXPECT_EQ(meter_.bursts(), 0u);
}

TEST_F(LossMeterTest, AForgedNumberHidesNoLossOfWhatDataShowsToBeData) {
  meter_.ExpectParities(3);
  for (uint64_t i = 0; i < 5; ++i) SeeOfGroup(i, 0);
  EXPECT_TRUE(meter_.SeenSealed(5));
  EXPECT_TRUE(meter_.SeenSealed(6));
  SeeOfGroup(7, 0);
  EXPECT_EQ(meter_.lost(), 2u);
  EXPECT_EQ(meter_.bursts(), 1u);
}

TEST_F(LossMeterTest, NoMoreIsBelievedThanAGroupHasParities) {
  EXPECT_FALSE(meter_.SeenSealed(0)) << "no group has come";
  meter_.ExpectParities(3);
  SeeOfGroup(0, 0);
  for (uint64_t i = 1; i < 4; ++i) EXPECT_TRUE(meter_.SeenSealed(i));
  EXPECT_FALSE(meter_.SeenSealed(4));
  SeeOfGroup(13, 13);
  EXPECT_EQ(meter_.lost(), 13u - 4u);
}

// Opened later, to repair: it was there.
TEST_F(LossMeterTest, OpeningWhatStoodInItsTurnChangesNothing) {
  meter_.ExpectParities(3);
  SeeOfGroup(0, 0);
  for (uint64_t i = 1; i < 4; ++i) EXPECT_TRUE(meter_.SeenSealed(i));
  SeeParity(2);
  EXPECT_EQ(meter_.next(), 3u);
  SeeOfGroup(4, 4);
  SeeParity(1);
  EXPECT_EQ(meter_.next(), 5u);
  EXPECT_EQ(meter_.lost(), 0u);
}

}  // namespace
}  // namespace lwt::fec
