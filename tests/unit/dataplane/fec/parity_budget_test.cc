#include "dataplane/fec/parity_budget.h"

#include <gtest/gtest.h>

namespace lwt::fec {
namespace {

constexpr uint64_t kSecond = 1'000'000;

class ParityBudgetTest : public ::testing::Test {
 protected:
  // A second of so many records of 1000 bytes, some of them parities.
  void Pass(uint64_t records, uint64_t parities, uint64_t arrived, bool full) {
    now_us_ += kSecond;
    sums_.records += arrived;
    sums_.sent_records += records;
    sums_.sent_bytes += records * 1000;
    sums_.sent_parities += parities;
    if (full) sums_.full_us = now_us_;
    budget_.OnReport(sums_, now_us_);
  }

  ParityBudget budget_;
  ParityBudget::Delivery sums_;
  uint64_t now_us_ = kSecond;
};

TEST_F(ParityBudgetTest, ALineThatWasNeverFullHasNoBound) {
  for (int i = 0; i < 5; ++i) Pass(1000, 200, 1000, false);
  EXPECT_EQ(budget_.Room(sums_.sent_bytes, now_us_), UINT64_MAX);
  EXPECT_GT(budget_.share(now_us_), 1000);
}

TEST_F(ParityBudgetTest, AFullOneLeavesWhatFreshTrafficDoes) {
  for (int i = 0; i < 5; ++i) Pass(1000, 0, 1000, true);
  EXPECT_EQ(budget_.rate(), 1'000'000u);
  EXPECT_EQ(budget_.share(now_us_), 0);
  // Of 7/8 of the rate 500 records are fresh.
  Pass(700, 200, 700, false);
  EXPECT_NEAR(budget_.share(now_us_), 0.75, 0.01);
}

// What was delivered is not what the line takes where it is not full any more:
// losses keep who sends inside from more, and parities are to help.
TEST_F(ParityBudgetTest, MoreIsTriedTheLongerItIsNotFull) {
  for (int i = 0; i < 5; ++i) Pass(1000, 0, 1000, true);
  Pass(1000, 0, 1000, false);
  EXPECT_EQ(budget_.share(now_us_), 0);
  for (int i = 0; i < 2; ++i) Pass(1000, 0, 1000, false);
  EXPECT_NEAR(budget_.share(now_us_), 0.75, 0.01);
  for (int i = 0; i < 2; ++i) Pass(1000, 0, 1000, false);
  EXPECT_NEAR(budget_.share(now_us_), 2.5, 0.01);
  Pass(1000, 0, 1000, true);
  EXPECT_EQ(budget_.share(now_us_), 0);
}

// What did not arrive is no rate of the line, whatever acks say.
TEST_F(ParityBudgetTest, TheRateIsWhatReportsTell) {
  for (int i = 0; i < 5; ++i) Pass(3000, 0, 1000, true);
  EXPECT_EQ(budget_.rate(), 1'000'000u);
}

TEST_F(ParityBudgetTest, ParitiesTakeNoPlaceInTheQueue) {
  for (int i = 0; i < 5; ++i) Pass(1000, 0, 1000, true);
  const uint64_t before = budget_.Room(sums_.sent_bytes, now_us_);
  EXPECT_LT(before, 20'000u);
  const uint64_t end = sums_.sent_bytes + 100'000;
  EXPECT_EQ(budget_.Room(end, now_us_), 0u);
  now_us_ += 200'000;
  EXPECT_EQ(budget_.Room(end, now_us_), before);
}

TEST_F(ParityBudgetTest, IsForgotten) {
  for (int i = 0; i < 5; ++i) Pass(1000, 0, 1000, true);
  for (int i = 0; i < 31; ++i) Pass(1000, 0, 1000, false);
  EXPECT_EQ(budget_.Room(sums_.sent_bytes, now_us_), UINT64_MAX);
}

}  // namespace
}  // namespace lwt::fec
