// Lanes whose peers' windows are closed, in one store for those that wait.
#include <gtest/gtest.h>

#include "dataplane/stages/stages.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr uint32_t kJoined = 5;

WorkerOptions ManyLanes() {
  WorkerOptions options = SmallWorker();
  options.max_lanes = kJoined;
  return options;
}

class AwaitWindowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pair_.Establish();
    for (uint32_t lane = 1; lane < kJoined; ++lane) pair_.Join(lane);
  }

  // Shards of a lane, while no window takes any.
  void Give(uint32_t lane, uint32_t count) {
    Worker& worker = pair_.client.worker();
    for (; count > 0; --count) {
      ++worker.outbound.round;
      for (session::Lane& each : worker.lanes) {
        each.round = worker.outbound.round;
        each.budget = 0;
        each.crowding = 0;
      }
      Frame shard;
      shard.mbuf = rte_pktmbuf_alloc(TestPool());
      ASSERT_NE(shard.mbuf, nullptr);
      rte_pktmbuf_append(shard.mbuf, 1000);
      shard.data = rte_pktmbuf_mtod(shard.mbuf, uint8_t*);
      shard.length = 1000;
      shard.lane = {lane};
      PacketBurst shards;
      shards.Push(shard);
      PacketBurst ready;
      AwaitWindow(worker, shards, ready);
      ASSERT_TRUE(ready.empty());
    }
  }

  uint32_t held(uint32_t lane) {
    return pair_.client.worker().outbound.wait_queues.held({lane});
  }

  GatewayPair pair_{ManyLanes()};
};

TEST_F(AwaitWindowTest, ClosedWindowsLeaveTheOthersRoomToWait) {
  constexpr uint32_t kEach = session::WaitQueues::kMaxPerLane;
  constexpr uint32_t kAll = 4 * kEach;
  for (uint32_t lane = 0; lane < 4; ++lane) Give(lane, kEach);
  ASSERT_EQ(pair_.client.drops(DropReason::kWindowFull), 0u);
  constexpr uint32_t kHalfShare = kAll / kJoined / 2;
  Give(4, kHalfShare);
  for (uint32_t lane = 0; lane < 4; ++lane) Give(lane, kEach);
  EXPECT_EQ(held(4), kHalfShare);
  EXPECT_EQ(pair_.client.drops(DropReason::kWindowFull),
            4 * kEach + kHalfShare);
  for (uint32_t lane = 0; lane < kJoined; ++lane) {
    pair_.client.mailbox().Send(RemoveLaneCommand{lane, true});
  }
  pair_.client.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.client.drops(DropReason::kNoLane), kAll);
  for (uint32_t lane = 0; lane < kJoined; ++lane) EXPECT_EQ(held(lane), 0u);
}

// A window that somebody closed for good must not pass for a lane without
// traffic, whose path is asked after every 20 s only.
TEST_F(AwaitWindowTest, WhatWaitsAsksForASignOfLife) {
  const Worker& worker = pair_.client.worker();
  const auto before = worker.lane_counters[2].last_data_tx_us.Get();
  pair_.Advance(1000);
  Give(2, 1);
  EXPECT_EQ(worker.lane_counters[2].last_data_tx_us.Get(), worker.now_us);
  EXPECT_GT(worker.now_us, before);
  EXPECT_EQ(worker.lane_counters[1].last_data_tx_us.Get(), before);
}

}  // namespace
}  // namespace lwt::testing
