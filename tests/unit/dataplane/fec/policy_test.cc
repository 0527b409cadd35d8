#include "dataplane/fec/policy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lwt::fec {
namespace {

constexpr uint64_t kReportUs = 250'000;

// A path that loses evenly and reports four times a second.
class PolicyTest : public ::testing::Test {
 protected:
  void Use(const Settings& settings) { policy_ = Policy(settings); }

  // One report later. `burst` is the mean run of lost records.
  void Report(double loss, double numbers = 2500, double burst = 1,
              uint64_t unrepaired = 0) {
    now_us_ += kReportUs;
    sent_ += numbers;
    lost_ += loss * numbers;
    bursts_ += loss * numbers / burst;
    feedback_.numbers = static_cast<uint64_t>(sent_);
    feedback_.lost = static_cast<uint64_t>(lost_);
    feedback_.bursts = static_cast<uint64_t>(bursts_);
    feedback_.unrepaired += unrepaired;
    policy_.OnReport(feedback_, now_us_);
  }
  void ReportFor(double seconds, double loss) {
    for (int i = 0; i < static_cast<int>(seconds * 4); ++i) Report(loss);
  }
  Parameters Now() const { return policy_.parameters(); }

  Policy policy_;
  Feedback feedback_;
  uint64_t now_us_ = 1'000'000;
  double sent_ = 0;
  double lost_ = 0;
  double bursts_ = 0;
};

TEST_F(PolicyTest, ACleanLinkHasNone) {
  ReportFor(10, 0);
  EXPECT_FALSE(Now().on());
}

struct Knot {
  double loss;
  Parameters expected;
};

TEST_F(PolicyTest, EachLossHasItsCodeWithinTwoSeconds) {
  for (const Knot& knot : {Knot{0.005, {20, 2, 1}}, Knot{0.02, {10, 3, 1}},
                           Knot{0.05, {10, 5, 1}}, Knot{0.2, {8, 6, 1}}}) {
    Use({});
    feedback_ = {};
    sent_ = lost_ = bursts_ = 0;
    ReportFor(4, 0);
    ReportFor(2, knot.loss);
    EXPECT_EQ(Now(), knot.expected) << knot.loss;
  }
}

TEST_F(PolicyTest, GoesDownALineAfterHalfAMinuteOfLess) {
  ReportFor(3, 0.05);
  ASSERT_EQ(Now(), (Parameters{10, 5, 1}));
  ReportFor(29, 0);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
  ReportFor(20, 0);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
  ReportFor(70, 0);
  EXPECT_FALSE(Now().on());
}

TEST_F(PolicyTest, WhatStaysUnrepairedRaisesItByOneLineASecond) {
  ReportFor(3, 0.02);
  ASSERT_EQ(Now(), (Parameters{10, 3, 1}));
  Report(0.02, 2500, 1, 3);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
  Report(0.02, 2500, 1, 20);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
  ReportFor(1, 0.02);
  Report(0.02, 2500, 1, 20);
  EXPECT_EQ(Now(), (Parameters{8, 6, 1}));
  Report(0.02, 2500, 1, 20);
  EXPECT_EQ(Now(), (Parameters{8, 6, 1}));
}

// 10 + 5 leaves 1e-7 of independent loss of 2 %.
TEST_F(PolicyTest, OneGroupThatAGoodCodeFailsOnIsChance) {
  ReportFor(3, 0.04);
  ASSERT_EQ(Now(), (Parameters{10, 5, 1}));
  ReportFor(10, 0.02);
  Report(0.02, 2500, 1, 6);
  ReportFor(10, 0.02);
  Report(0.02, 2500, 1, 6);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
  Report(0.02, 2500, 1, 6);
  EXPECT_EQ(Now(), (Parameters{8, 6, 1}));
}

// A packet alone in its group has one copy, whatever the code: of 20 a second
// at 3 % one in a minute loses both. And what came to light behind the step was
// left by no code.
TEST_F(PolicyTest, WhatNoCodeRepairsDoesNotAddUp) {
  Report(0.03, 2500, 1, 60);
  Report(0.03, 2500, 1, 20);
  ASSERT_EQ(Now(), (Parameters{10, 5, 1}));
  for (int i = 0; i < 20; ++i) {
    ReportFor(5, 0.03);
    Report(0.03, 2500, 1, 1);
  }
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
}

// 20 + 2 would leave 2e-4 of 1 %, as was found when it was the code.
TEST_F(PolicyTest, DoesNotGoDownToACodeThatLeavesTooMuch) {
  ReportFor(3, 0.009);
  ASSERT_EQ(Now(), (Parameters{20, 2, 1}));
  Report(0.009, 2500, 1, 3);
  ASSERT_EQ(Now(), (Parameters{10, 3, 1}));
  ReportFor(100, 0.009);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
  ReportFor(45, 0.001);
  EXPECT_EQ(Now(), (Parameters{20, 2, 1}));
}

TEST_F(PolicyTest, ASingleLossOnALongCleanLinkIsNotWorthIt) {
  ReportFor(5, 0);
  Report(1.0 / 200'000, 200'000);
  EXPECT_FALSE(Now().on());
}

TEST_F(PolicyTest, LossThatGrowsWithLoadLowersIt) {
  ReportFor(2, 0.05);
  ASSERT_TRUE(Now().on());
  int lines = 0;
  for (int i = 0; i < 40; ++i) {
    const bool high = i % 2 == 0;
    const Parameters before = Now();
    Report(high ? 0.15 : 0.001, high ? 5000 : 2000);
    if (Now() != before) ++lines;
  }
  EXPECT_TRUE(policy_.congested(now_us_));
  EXPECT_FALSE(Now().on());
  EXPECT_GE(lines, 2);
}

// The link carries 2000 records of each report's time, whatever is sent.
TEST_F(PolicyTest, ALinkThatItsOwnParitiesFillIsFull) {
  double most = 0;
  for (int i = 0; i < 400; ++i) {
    const Parameters code = Now();
    const double factor =
        code.on() ? 1 + static_cast<double>(code.parity) / code.data : 1;
    if (i >= 40) most += factor;
    const double sent = 2600 * factor;
    Report(1 - 2000 / sent, sent);
  }
  // A tenth more than without FEC on average, and less and less.
  EXPECT_LT(most / 360, 1.1);
}

TEST_F(PolicyTest, AfterAFullLinkItGoesUpLineByLine) {
  for (int i = 0; i < 40; ++i) {
    Report(i % 2 == 0 ? 0.15 : 0.001, i % 2 == 0 ? 5000 : 2000);
  }
  ASSERT_TRUE(policy_.congested(now_us_));
  ReportFor(60, 0);
  ASSERT_FALSE(policy_.congested(now_us_));
  ASSERT_FALSE(Now().on());
  ReportFor(0.25, 0.2);
  EXPECT_EQ(Now(), (Parameters{20, 2, 1}));
  ReportFor(1.75, 0.2);
  EXPECT_EQ(Now(), (Parameters{20, 2, 1}));
  ReportFor(0.25, 0.2);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
}

TEST_F(PolicyTest, LossThatIsTheSameAtEveryLoadIsRepaired) {
  for (int i = 0; i < 60; ++i) Report(0.05, i % 2 == 0 ? 5000 : 2000);
  EXPECT_FALSE(policy_.congested(now_us_));
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
}

// Who sends inside fills a line the sooner, the more parities there are; where
// a weaker code leaves few losses in a round trip, it carries more.
TEST_F(PolicyTest, WhereALineIsFullTimeAndAgainTheWeakestCodeThatDoes) {
  struct Case {
    uint64_t trip_us;
    Parameters expected;
  };
  for (const Case& each :
       {Case{1000, {}}, Case{5000, {20, 2, 1}}, Case{100'000, {10, 3, 1}}}) {
    Use({});
    feedback_ = {};
    feedback_.trip_us = each.trip_us;
    sent_ = lost_ = bursts_ = 0;
    ReportFor(5, 0.02);
    ASSERT_EQ(Now(), (Parameters{10, 3, 1}));
    for (int i = 0; i < 5; ++i) {
      ReportFor(3, 0.02);
      feedback_.full_us = now_us_;
      Report(0.02);
    }
    EXPECT_EQ(Now().data, each.expected.data) << each.trip_us;
    EXPECT_EQ(Now().parity, each.expected.parity) << each.trip_us;
    // It was not full for a while.
    ReportFor(26, 0.02);
    EXPECT_EQ(Now(), (Parameters{10, 3, 1})) << each.trip_us;
  }
}

// What a full queue drops says nothing of the line.
TEST_F(PolicyTest, WhatIsLostOnAFullLineIsNotMetByParities) {
  for (int i = 0; i < 40; ++i) {
    feedback_.full_us = now_us_;
    Report(0.05, 2500, 1, 20);
  }
  EXPECT_FALSE(Now().on());
  EXPECT_EQ(policy_.loss(), 0);
  ReportFor(4, 0.02);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
}

TEST_F(PolicyTest, TheCodeIsOneThatTheLineHasRoomFor) {
  ReportFor(4, 0.05);
  ASSERT_EQ(Now(), (Parameters{10, 5, 1}));
  feedback_.room = 0.35;
  Report(0.05);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
  feedback_.room = 0.05;
  // What is left is not the code's fault: none is stronger afterwards.
  for (int i = 0; i < 20; ++i) Report(0.05, 2500, 1, 20);
  EXPECT_FALSE(Now().on());
  feedback_.room = 1e9;
  Report(0.05);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
}

TEST_F(PolicyTest, BurstsAreSpreadOverGroups) {
  Use({.mode = Mode::kFixed, .fixed = {10, 5, 1}, .interleave_us = 50'000});
  for (int i = 0; i < 8; ++i) Report(0.05, 2500, 10);
  // Runs of 10: 2 · 10 / 5 groups take turns.
  EXPECT_EQ(Now(), (Parameters{10, 5, 4}));
}

TEST_F(PolicyTest, InterleavingIsBoundByItsDelay) {
  // 2500 records a quarter second are 10 a millisecond: one group of ten.
  Use({.mode = Mode::kFixed, .fixed = {10, 5, 1}, .interleave_us = 2000});
  for (int i = 0; i < 8; ++i) Report(0.05, 2500, 10);
  EXPECT_EQ(Now().stride, 2);
  Use({.mode = Mode::kFixed, .fixed = {10, 5, 1}, .interleave_us = 0});
  feedback_ = {};
  for (int i = 0; i < 8; ++i) Report(0.05, 2500, 10);
  EXPECT_EQ(Now().stride, 1);
}

TEST_F(PolicyTest, IndependentLossIsNotInterleaved) {
  // Runs of independent loss at 20 % are 1.25 long.
  for (int i = 0; i < 20; ++i) Report(0.2, 2500, 1.25);
  EXPECT_EQ(Now().stride, 1);
}

TEST_F(PolicyTest, FixedIsFixedAndOffIsOff) {
  Use({.mode = Mode::kFixed, .fixed = {20, 2, 1}});
  EXPECT_EQ(Now(), (Parameters{20, 2, 1}));
  ReportFor(5, 0.3);
  EXPECT_EQ(Now(), (Parameters{20, 2, 1}));
  Use({.mode = Mode::kOff});
  feedback_ = {};
  ReportFor(5, 0.3);
  EXPECT_FALSE(Now().on());
}

TEST_F(PolicyTest, AReportThatIsOlderThanTheLastChangesNothing) {
  ReportFor(3, 0.05);
  const double loss = policy_.loss();
  policy_.OnReport({10, 10, 10, 10}, now_us_ + 1000);
  EXPECT_EQ(policy_.loss(), loss);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
}

TEST_F(PolicyTest, ALaneThatHasSentLittleBelievesTheOthers) {
  for (int i = 0; i < 20; ++i) Report(0, 10);
  EXPECT_FALSE(Now().on());
  policy_.OnPeerLoss(0.05, now_us_);
  EXPECT_EQ(Now(), (Parameters{10, 5, 1}));
}

TEST_F(PolicyTest, ALaneThatHasSentNothingBelievesTheOthers) {
  policy_.OnPeerLoss(0.02, now_us_);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
}

TEST_F(PolicyTest, ALaneThatHasSentMuchKnowsBetter) {
  ReportFor(4, 0);
  policy_.OnPeerLoss(0.05, now_us_);
  EXPECT_FALSE(Now().on());
  // Long ago is not recently.
  now_us_ += 20'000'000;
  policy_.OnPeerLoss(0.05, now_us_);
  EXPECT_TRUE(Now().on());
}

TEST_F(PolicyTest, WhatTheOthersLoseNeverMeansLess) {
  for (int i = 0; i < 20; ++i) Report(0.2, 20);
  const Parameters before = Now();
  ASSERT_TRUE(before.on());
  policy_.OnPeerLoss(0.001, now_us_);
  EXPECT_EQ(Now(), before);
}

TEST_F(PolicyTest, WhatTheOthersLoseIsForgotten) {
  policy_.OnPeerLoss(0.02, now_us_);
  now_us_ += Policy::kBelievedUs;
  // Then as slowly as ever.
  for (int i = 0; i < 100; ++i) Report(0, 10);
  EXPECT_TRUE(Now().on());
  for (int i = 0; i < 600; ++i) Report(0, 10);
  EXPECT_FALSE(Now().on());
}

TEST_F(PolicyTest, WhatTheOthersLoseChangesNoFixedCode) {
  Use({Mode::kFixed, {10, 3, 1}});
  policy_.OnPeerLoss(0.2, now_us_);
  EXPECT_EQ(Now(), (Parameters{10, 3, 1}));
  Use({Mode::kOff});
  policy_.OnPeerLoss(0.2, now_us_);
  EXPECT_FALSE(Now().on());
}

}  // namespace
}  // namespace lwt::fec
