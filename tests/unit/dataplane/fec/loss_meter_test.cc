#include "dataplane/fec/loss_meter.h"

#include <gtest/gtest.h>

namespace lwt::fec {
namespace {

constexpr uint64_t kReorderUs = 10'000;

class LossMeterTest : public ::testing::Test {
 protected:
  void See(uint64_t number) { meter_.Seen(number, now_us_, kReorderUs); }

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

TEST_F(LossMeterTest, WhatStaysSealedWasNotRepaired) {
  for (const uint64_t i : {0, 4}) See(i);
  now_us_ += kReorderUs + 1;
  meter_.Seen(1, now_us_, kReorderUs, /*opened=*/false);
  EXPECT_EQ(meter_.lost(), 3u);
  EXPECT_EQ(meter_.resent(), 0u);
  See(2);
  EXPECT_EQ(meter_.resent(), 1u);
}

// Where a round trip is short, sending again is as good as FEC.
TEST_F(LossMeterTest, ResentAtOnceIsNotLate) {
  for (const uint64_t i : {0, 3}) See(i);
  now_us_ += 9000;
  meter_.Seen(1, now_us_, /*reorder_us=*/100);
  EXPECT_EQ(meter_.resent(), 1u);
  EXPECT_EQ(meter_.resent_late(), 0u);
  now_us_ += 9000;
  meter_.Seen(2, now_us_, /*reorder_us=*/100);
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
  for (uint64_t i = 0; i < 200; i += 2) See(i);
  EXPECT_EQ(meter_.lost(), 99u);
  See(1);
  EXPECT_EQ(meter_.lost(), 99u);
  See(197);
  EXPECT_EQ(meter_.lost(), 98u);
}

TEST_F(LossMeterTest, OnlyTheNextNumberIsInItsTurn) {
  EXPECT_TRUE(meter_.SeenInTurn(0));
  EXPECT_FALSE(meter_.SeenInTurn(2));
  EXPECT_FALSE(meter_.SeenInTurn(0));
  EXPECT_TRUE(meter_.SeenInTurn(1));
  EXPECT_EQ(meter_.next(), 2u);
}

TEST_F(LossMeterTest, FarAheadIsNotNear) {
  See(10);
  EXPECT_TRUE(meter_.IsNear(3));
  EXPECT_TRUE(meter_.IsNear(4000));
  EXPECT_FALSE(meter_.IsNear(1 << 20));
}

}  // namespace
}  // namespace lwt::fec
