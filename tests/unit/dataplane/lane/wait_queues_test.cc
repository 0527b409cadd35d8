#include "dataplane/lane/wait_queues.h"

#include <gtest/gtest.h>

namespace lwt::session {
namespace {

// Told apart by their time; no mbuf is touched by the queues.
WaitQueues::Waiting At(uint64_t since_us) {
  return {nullptr, static_cast<uint16_t>(since_us % 7), since_us};
}

uint64_t Take(WaitQueues& queues, LaneIndex lane) {
  const uint64_t since = queues.Front(lane).since_us;
  EXPECT_EQ(queues.Front(lane).packets, since % 7);
  queues.Pop(lane);
  return since;
}

TEST(WaitQueues, LaneStartsEmpty) {
  const WaitQueues queues(8, 1);
  EXPECT_TRUE(queues.Empty({0}));
}

TEST(WaitQueues, GivesBackInOrder) {
  WaitQueues queues(8, 1);
  const LaneIndex lane{0};
  for (uint64_t i = 0; i < 8; ++i) ASSERT_TRUE(queues.Push(lane, At(i)));
  EXPECT_EQ(queues.held(lane), 8u);
  for (uint64_t i = 0; i < 8; ++i) EXPECT_EQ(Take(queues, lane), i);
  EXPECT_TRUE(queues.Empty(lane));
}

TEST(WaitQueues, RefusesWhenTheStoreIsFull) {
  WaitQueues queues(3, 2);
  const LaneIndex first{0};
  const LaneIndex second{1};
  ASSERT_TRUE(queues.Push(first, At(1)));
  ASSERT_TRUE(queues.Push(second, At(2)));
  ASSERT_TRUE(queues.Push(first, At(3)));
  EXPECT_FALSE(queues.Push(second, At(4)));
  EXPECT_FALSE(queues.Push(first, At(4)));
  EXPECT_EQ(queues.held(second), 1u);
  EXPECT_EQ(Take(queues, first), 1u);
  EXPECT_TRUE(queues.Push(second, At(5)));
  EXPECT_EQ(Take(queues, second), 2u);
  EXPECT_EQ(Take(queues, second), 5u);
  EXPECT_EQ(Take(queues, first), 3u);
}

TEST(WaitQueues, RefusesBeyondTheBoundOfALane) {
  WaitQueues queues(2 * WaitQueues::kMaxPerLane, 2);
  const LaneIndex lane{0};
  const LaneIndex other{1};
  for (uint32_t i = 0; i < WaitQueues::kMaxPerLane; ++i) {
    ASSERT_TRUE(queues.Push(lane, At(i)));
  }
  EXPECT_FALSE(queues.Push(lane, At(0)));
  EXPECT_TRUE(queues.Push(other, At(0)));
  queues.Pop(lane);
  EXPECT_TRUE(queues.Push(lane, At(1)));
}

TEST(WaitQueues, NodesAreUsedAgainAndAgain) {
  WaitQueues queues(4, 3);
  for (uint32_t round = 0; round < 1000; ++round) {
    const LaneIndex lane{round % 3};
    const LaneIndex other{(round + 1) % 3};
    ASSERT_TRUE(queues.Push(lane, At(round)));
    ASSERT_TRUE(queues.Push(other, At(round + 1)));
    ASSERT_TRUE(queues.Push(lane, At(round + 2)));
    ASSERT_TRUE(queues.Push(other, At(round + 3)));
    ASSERT_FALSE(queues.Push(lane, At(0)));
    ASSERT_EQ(Take(queues, lane), round);
    ASSERT_EQ(Take(queues, other), round + 1);
    ASSERT_EQ(Take(queues, other), round + 3);
    ASSERT_EQ(Take(queues, lane), round + 2);
  }
}

// Lanes whose peers let nothing go fill the store; each of the others still has
// half of an equal part.
TEST(WaitQueues, WhoHoldsMostMakesRoom) {
  constexpr uint32_t kNodes = 64;
  constexpr uint32_t kLanes = 4;
  WaitQueues queues(kNodes, kLanes);
  const auto push = [&queues](LaneIndex lane) {
    const LaneIndex largest = queues.InTheWay(lane);
    if (largest != LaneIndex::kNone) {
      EXPECT_GT(queues.held(largest), queues.held(lane) + 1);
      queues.Pop(largest);
    }
    return queues.Push(lane, At(1));
  };
  for (uint32_t i = 0; i < kNodes; ++i) ASSERT_TRUE(push({0}));
  EXPECT_FALSE(push({0})) << "nothing is gained by taking from itself";
  constexpr uint32_t kHalfShare = kNodes / kLanes / 2;
  for (uint32_t i = 0; i < kHalfShare; ++i) ASSERT_TRUE(push({3}));
  for (uint32_t i = 0; i < 4 * kNodes; ++i) push({i % 3});
  EXPECT_EQ(queues.held({3}), kHalfShare);
  for (LaneIndex lane{0}; lane.value < 3; ++lane.value) {
    EXPECT_GE(queues.held(lane), kHalfShare);
  }
}

TEST(WaitQueues, NobodyLosesTheLastOne) {
  WaitQueues queues(3, 4);
  for (LaneIndex lane{0}; lane.value < 3; ++lane.value) {
    ASSERT_TRUE(queues.Push(lane, At(1)));
  }
  EXPECT_EQ(queues.InTheWay({3}), LaneIndex::kNone);
  EXPECT_FALSE(queues.Push({3}, At(1)));
}

TEST(WaitQueues, NoStoreTakesNothing) {
  WaitQueues queues(0, 1);
  const LaneIndex lane{0};
  EXPECT_FALSE(queues.Push(lane, At(1)));
  EXPECT_TRUE(queues.Empty(lane));
}

}  // namespace
}  // namespace lwt::session
