#include "dataplane/lane/flow_queues.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lwt::session {
namespace {

constexpr LaneIndex kLane{0};
constexpr uint32_t kAnyRoom = UINT32_MAX;

// Queues of shards that are nothing but their sizes and numbers.
class FlowQueuesTest : public ::testing::Test {
 protected:
  // The number tells it, in `packets`.
  FlowQueues::Waiting Shard(uint32_t size, uint16_t number,
                            uint64_t since_us = 1) {
    rte_mbuf& mbuf = mbufs_.emplace_back();
    mbuf.pkt_len = size;
    return {&mbuf, number, since_us};
  }
  static std::optional<uint16_t> Next(FlowQueues& queues,
                                      LaneIndex lane = kLane,
                                      uint32_t room = kAnyRoom) {
    const auto taken = queues.Take(lane, room, /*now_us=*/1);
    if (!taken) return std::nullopt;
    return taken->waiting.packets;
  }
  // As AwaitWindow does.
  bool Offer(FlowQueues& queues, LaneIndex lane, uint32_t hash, uint32_t size,
             uint16_t number) {
    if (queues.full()) {
      const LaneIndex other = queues.InTheWay(lane);
      if (other == LaneIndex::kNone) return false;
      queues.TakeOfLargest(other);
    }
    queues.Push(lane, hash, Shard(size, number));
    return true;
  }

  std::deque<rte_mbuf> mbufs_;
};

TEST_F(FlowQueuesTest, LaneStartsEmpty) {
  FlowQueues queues(8, 2);
  EXPECT_TRUE(queues.Empty(kLane));
  EXPECT_EQ(Next(queues), std::nullopt);
}

TEST_F(FlowQueuesTest, AFlowKeepsItsOrder) {
  FlowQueues queues(100, 1);
  for (uint16_t i = 0; i < 100; ++i) queues.Push(kLane, 7, Shard(1400, i));
  EXPECT_TRUE(queues.full());
  for (uint16_t i = 0; i < 100; ++i) ASSERT_EQ(Next(queues), i);
  EXPECT_TRUE(queues.Empty(kLane));
}

TEST_F(FlowQueuesTest, WhatHasNoRoomStays) {
  FlowQueues queues(8, 1);
  queues.Push(kLane, 7, Shard(1400, 1));
  EXPECT_EQ(Next(queues, kLane, 1399), std::nullopt);
  EXPECT_EQ(queues.held(kLane), 1u);
  EXPECT_EQ(Next(queues, kLane, 1400), 1);
}

// A ping behind a bulk transfer is next, or behind one packet.
TEST_F(FlowQueuesTest, AFreshFlowIsNext) {
  FlowQueues queues(1000, 1);
  for (uint16_t i = 0; i < 500; ++i) queues.Push(kLane, 1, Shard(1400, 1));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Next(queues), 1);
  queues.Push(kLane, 2, Shard(84, 2));
  const std::vector<std::optional<uint16_t>> next = {Next(queues),
                                                     Next(queues)};
  EXPECT_TRUE(next[0] == 2 || next[1] == 2);
}

// Nor is it by coming back whenever it has had its turn.
TEST_F(FlowQueuesTest, WhoAlwaysComesBackIsNotFreshAgain) {
  FlowQueues queues(4000, 1);
  for (uint16_t i = 0; i < 2000; ++i) queues.Push(kLane, 1, Shard(1400, 1));
  std::map<uint16_t, uint32_t> bytes;
  for (int i = 0; i < 1000; ++i) {
    queues.Push(kLane, 2, Shard(1400, 2));
    ++bytes[*Next(queues)];
  }
  EXPECT_NEAR(bytes[1], bytes[2], 10);
}

TEST_F(FlowQueuesTest, FlowsShareByBytes) {
  FlowQueues queues(4000, 1);
  for (uint16_t i = 0; i < 1000; ++i) queues.Push(kLane, 1, Shard(1400, 1));
  for (uint16_t i = 0; i < 3000; ++i) queues.Push(kLane, 2, Shard(200, 2));
  std::map<uint16_t, uint32_t> bytes;
  for (int i = 0; i < 2000; ++i) {
    const auto taken = queues.Take(kLane, kAnyRoom, 1);
    ASSERT_TRUE(taken);
    bytes[taken->waiting.packets] += taken->waiting.shard->pkt_len;
  }
  EXPECT_NEAR(static_cast<double>(bytes[1]) / bytes[2], 1.0, 0.02);
}

TEST_F(FlowQueuesTest, AStandingFlowIsToldOfAndNoOther) {
  FlowQueues queues(2000, 1);
  uint32_t told = 0;
  for (uint64_t now_us = 100'000; now_us < 1'100'000; now_us += 1000) {
    queues.Push(kLane, 1, Shard(1400, 1, now_us - 20'000));
    queues.Push(kLane, 1, Shard(1400, 1, now_us - 20'000));
    queues.Push(kLane, 2, Shard(100, 2, now_us));
    for (int i = 0; i < 2; ++i) {
      const auto taken = queues.Take(kLane, kAnyRoom, now_us);
      ASSERT_TRUE(taken);
      if (taken->verdict == FlowQueues::Verdict::kSend) continue;
      EXPECT_EQ(taken->verdict, FlowQueues::Verdict::kTell);
      EXPECT_EQ(taken->waiting.packets, 1);
      ++told;
    }
  }
  EXPECT_GT(told, 5u);
}

TEST_F(FlowQueuesTest, WhatWaitedForASecondComesOutWhateverTheRoom) {
  FlowQueues queues(8, 1);
  queues.Push(kLane, 1, Shard(1400, 1, 1000));
  const uint64_t last_us = 1000 + FlowQueues::kMaxWaitUs;
  EXPECT_FALSE(queues.Take(kLane, 0, last_us));
  const auto taken = queues.Take(kLane, 0, last_us + 1);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->verdict, FlowQueues::Verdict::kTooLate);
}

TEST_F(FlowQueuesTest, AFullLaneTakesFromItsLargestFlow) {
  FlowQueues queues(64, 1);
  for (uint32_t flow = 1; flow < 10; ++flow) {
    Offer(queues, kLane, flow, 100, static_cast<uint16_t>(flow));
  }
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Offer(queues, kLane, 99, 1400, 99));
  }
  std::map<uint16_t, uint32_t> left;
  while (const auto next = Next(queues)) ++left[*next];
  for (uint16_t flow = 1; flow < 10; ++flow) EXPECT_EQ(left[flow], 1u) << flow;
  EXPECT_EQ(left[99], 64u - 9u);
}

// However many flows it has: the others keep half of an equal part.
TEST_F(FlowQueuesTest, WhoHoldsMostMakesRoom) {
  constexpr uint32_t kNodes = 64;
  constexpr uint32_t kLanes = 4;
  FlowQueues queues(kNodes, kLanes);
  constexpr uint32_t kHalfShare = kNodes / kLanes / 2;
  for (uint32_t i = 0; i < kNodes; ++i) Offer(queues, {0}, i, 100, 0);
  for (uint32_t i = 0; i < kHalfShare; ++i) {
    ASSERT_TRUE(Offer(queues, {3}, i, 1400, 0));
  }
  for (uint32_t i = 0; i < 4 * kNodes; ++i) Offer(queues, {i % 3}, i, 100, 0);
  EXPECT_EQ(queues.held({3}), kHalfShare);
  for (LaneIndex lane{0}; lane.value < 3; ++lane.value) {
    EXPECT_GE(queues.held(lane), kHalfShare);
  }
  EXPECT_EQ(queues.total(), kNodes);
}

TEST_F(FlowQueuesTest, NobodyLosesTheLastOne) {
  FlowQueues queues(3, 4);
  for (LaneIndex lane{0}; lane.value < 3; ++lane.value) {
    ASSERT_TRUE(Offer(queues, lane, 1, 100, 0));
  }
  EXPECT_FALSE(Offer(queues, {3}, 1, 100, 0));
}

// More flows than there are places for: some share one, nothing is lost, and
// places are free again behind them.
TEST_F(FlowQueuesTest, ManyFlowsComeAndGo) {
  FlowQueues queues(5000, 2);
  for (int round = 0; round < 3; ++round) {
    for (uint32_t flow = 0; flow < 5000; ++flow) {
      queues.Push({flow % 2}, flow * 7919, Shard(100, 1));
    }
    uint32_t taken = 0;
    while (Next(queues, {0}) || Next(queues, {1})) ++taken;
    EXPECT_EQ(taken, 5000u);
    EXPECT_EQ(queues.total(), 0u);
    mbufs_.clear();
  }
  for (uint16_t i = 0; i < 10; ++i) queues.Push({0}, 1, Shard(1400, 1));
  Next(queues);
  queues.Push({0}, 2, Shard(84, 2));
  EXPECT_TRUE(Next(queues) == 2 || Next(queues) == 2);
}

}  // namespace
}  // namespace lwt::session
