#include "dataplane/session/wait_queues.h"

#include <gtest/gtest.h>

#include <vector>

namespace lwt::session {
namespace {

// Told apart by their time; no mbuf is touched by the queues.
WaitQueues::Waiting At(uint64_t since_us) {
  return {nullptr, static_cast<uint16_t>(since_us % 7), since_us};
}

uint64_t Take(WaitQueues& queues, Lane& lane) {
  const uint64_t since = queues.Front(lane).since_us;
  EXPECT_EQ(queues.Front(lane).packets, since % 7);
  queues.Pop(lane);
  return since;
}

TEST(WaitQueues, LaneStartsEmpty) {
  const Lane lane;
  EXPECT_TRUE(WaitQueues::Empty(lane));
}

TEST(WaitQueues, GivesBackInOrder) {
  WaitQueues queues(8);
  Lane lane;
  for (uint64_t i = 0; i < 8; ++i) ASSERT_TRUE(queues.Push(lane, At(i)));
  EXPECT_EQ(lane.wait_count, 8u);
  for (uint64_t i = 0; i < 8; ++i) EXPECT_EQ(Take(queues, lane), i);
  EXPECT_TRUE(WaitQueues::Empty(lane));
}

TEST(WaitQueues, RefusesWhenTheStoreIsFull) {
  WaitQueues queues(3);
  Lane first;
  Lane second;
  ASSERT_TRUE(queues.Push(first, At(1)));
  ASSERT_TRUE(queues.Push(second, At(2)));
  ASSERT_TRUE(queues.Push(first, At(3)));
  EXPECT_FALSE(queues.Push(second, At(4)));
  EXPECT_FALSE(queues.Push(first, At(4)));
  EXPECT_EQ(second.wait_count, 1u);
  EXPECT_EQ(Take(queues, first), 1u);
  EXPECT_TRUE(queues.Push(second, At(5)));
  EXPECT_EQ(Take(queues, second), 2u);
  EXPECT_EQ(Take(queues, second), 5u);
  EXPECT_EQ(Take(queues, first), 3u);
}

TEST(WaitQueues, RefusesBeyondTheBoundOfALane) {
  WaitQueues queues(2 * WaitQueues::kMaxPerLane);
  Lane lane;
  Lane other;
  for (uint32_t i = 0; i < WaitQueues::kMaxPerLane; ++i) {
    ASSERT_TRUE(queues.Push(lane, At(i)));
  }
  EXPECT_FALSE(queues.Push(lane, At(0)));
  EXPECT_TRUE(queues.Push(other, At(0)));
  queues.Pop(lane);
  EXPECT_TRUE(queues.Push(lane, At(1)));
}

TEST(WaitQueues, NodesAreUsedAgainAndAgain) {
  WaitQueues queues(4);
  std::vector<Lane> lanes(3);
  for (uint64_t round = 0; round < 1000; ++round) {
    Lane& lane = lanes[round % 3];
    Lane& other = lanes[(round + 1) % 3];
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

TEST(WaitQueues, NoStoreTakesNothing) {
  WaitQueues queues(0);
  Lane lane;
  EXPECT_FALSE(queues.Push(lane, At(1)));
  EXPECT_TRUE(WaitQueues::Empty(lane));
}

}  // namespace
}  // namespace lwt::session
