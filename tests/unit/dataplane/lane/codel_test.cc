#include "dataplane/lane/codel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lwt::session {
namespace {

constexpr uint64_t kStanding = 2 * Codel::kTargetUs;

// When packets, one a millisecond that waited so long each, tell.
std::vector<uint64_t> Told(Codel& codel, uint64_t waited_us, uint64_t from_ms,
                           uint64_t until_ms) {
  std::vector<uint64_t> told;
  for (uint64_t ms = from_ms; ms < until_ms; ++ms) {
    if (codel.Tells(waited_us, /*last=*/false, ms * 1000)) told.push_back(ms);
  }
  return told;
}

TEST(Codel, ShortWaitsAreLeftAlone) {
  Codel codel;
  EXPECT_TRUE(Told(codel, Codel::kTargetUs - 1, 1, 5000).empty());
}

TEST(Codel, ABurstThatIsGoneWithinAnIntervalIsLeftAlone) {
  Codel codel;
  for (uint64_t at = 1; at < 5000; at += 100) {
    EXPECT_TRUE(Told(codel, kStanding, at, at + 90).empty());
    EXPECT_TRUE(Told(codel, 0, at + 90, at + 100).empty());
  }
}

TEST(Codel, TheLastPacketIsLeftAloneHoweverSlowTheLine) {
  Codel codel;
  for (uint64_t ms = 1; ms < 5000; ++ms) {
    EXPECT_FALSE(codel.Tells(kStanding, /*last=*/true, ms * 1000));
  }
}

// RFC 8289 section 5.3: after an interval, then an interval over the square
// root of how many were told.
TEST(Codel, AStandingQueueIsToldOfMoreAndMoreOften) {
  Codel codel;
  const std::vector<uint64_t> told = Told(codel, kStanding, 1, 1000);
  ASSERT_GT(told.size(), 10u);
  EXPECT_EQ(told.front(), 101u);
  double next = 101;
  for (size_t i = 0; i < told.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(told[i]), next, 1.01) << i;
    next += 100 / std::sqrt(static_cast<double>(i + 1));
  }
}

TEST(Codel, ItStopsAtOnceAndSoonBeginsWhereItLeftOff) {
  Codel codel;
  ASSERT_GT(Told(codel, kStanding, 1, 1000).size(), 10u);
  EXPECT_TRUE(Told(codel, 0, 1000, 1200).empty());
  const auto again = Told(codel, kStanding, 1200, 1400).size();
  EXPECT_GT(again, 3u);
  Codel fresh;
  EXPECT_LT(Told(fresh, kStanding, 1200, 1400).size(), again);
}

TEST(Codel, WhatWasLongAgoIsForgotten) {
  Codel codel;
  ASSERT_GT(Told(codel, kStanding, 1, 1000).size(), 10u);
  EXPECT_TRUE(Told(codel, 0, 1000, 4000).empty());
  EXPECT_EQ(Told(codel, kStanding, 4000, 4150).size(), 1u);
}

}  // namespace
}  // namespace lwt::session
