#include "control/hub/join_budget.h"

#include <gtest/gtest.h>

namespace lwt::peer {
namespace {

// How many answers there are left for a lane.
int TakeAll(JoinBudget& budget, uint16_t lane) {
  int taken = 0;
  while (budget.Take({lane})) ++taken;
  return taken;
}

TEST(JoinBudgetTest, EachLaneHasItsOwnAnswers) {
  JoinBudget budget;
  EXPECT_EQ(TakeAll(budget, 1), JoinBudget::kAnswers);
  EXPECT_EQ(TakeAll(budget, 1), 0);
  EXPECT_EQ(TakeAll(budget, 2), JoinBudget::kAnswers)
      << "who repeats one hello does not use up the next";
}

TEST(JoinBudgetTest, TheLowestMakesRoomAndHasNoneFromThenOn) {
  JoinBudget budget;
  const auto lanes = static_cast<uint16_t>(JoinBudget::kLanes);
  for (uint16_t lane = 1; lane <= lanes; ++lane) {
    EXPECT_TRUE(budget.Take({lane})) << lane;
  }
  EXPECT_TRUE(budget.Take({JoinBudget::kLanes + 1}));
  EXPECT_FALSE(budget.Take({1})) << "an old hello, repeated";
  EXPECT_TRUE(budget.Take({2})) << "this one still has some";
  EXPECT_EQ(TakeAll(budget, lanes + 1), JoinBudget::kAnswers - 1);
}

// Ids far apart, as after many lanes that came and went.
TEST(JoinBudgetTest, OldIdsNeverComeBack) {
  JoinBudget budget;
  for (uint32_t lane = 1; lane <= UINT16_MAX; lane += 997) {
    EXPECT_TRUE(budget.Take({static_cast<uint16_t>(lane)})) << lane;
    if (lane > 997 * JoinBudget::kLanes) {
      EXPECT_FALSE(budget.Take(
          {static_cast<uint16_t>(lane - 997 * JoinBudget::kLanes)}));
    }
  }
  EXPECT_TRUE(budget.Take({UINT16_MAX}));
}

TEST(JoinBudgetTest, TheLaneOfTheHandshakeIsNotJoined) {
  JoinBudget budget;
  EXPECT_EQ(TakeAll(budget, 0), JoinBudget::kAnswers);
  for (uint16_t lane = 1; lane <= JoinBudget::kLanes; ++lane) {
    EXPECT_TRUE(budget.Take({lane}));
  }
  EXPECT_FALSE(budget.Take({0}));
}

}  // namespace
}  // namespace lwt::peer
