// Lanes whose peers' windows are closed, in one store for those that wait.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr uint32_t kJoined = 5;
constexpr uint32_t kQueue = 1024;

WorkerOptions ManyLanes() {
  WorkerOptions options = SmallWorker();
  options.max_lanes = kJoined;
  options.send_queue = kQueue;
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
      for (uint32_t i = 0; i < worker.lanes.size(); ++i) {
        session::Lane& each = worker.lanes[i];
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
    return pair_.client.worker().outbound.flow_queues.held({lane});
  }

  GatewayPair pair_{ManyLanes()};
};

TEST_F(AwaitWindowTest, ClosedWindowsLeaveTheOthersRoomToWait) {
  constexpr uint32_t kEach = kQueue / 4;
  for (uint32_t lane = 0; lane < 4; ++lane) Give(lane, kEach);
  ASSERT_EQ(pair_.client.drops(DropReason::kSendQueueFull), 0u);
  constexpr uint32_t kHalfShare = kQueue / kJoined / 2;
  Give(4, kHalfShare);
  for (uint32_t lane = 0; lane < 4; ++lane) Give(lane, kEach);
  EXPECT_EQ(held(4), kHalfShare);
  EXPECT_EQ(pair_.client.drops(DropReason::kSendQueueFull),
            4 * kEach + kHalfShare);
  for (uint32_t lane = 0; lane < kJoined; ++lane) {
    pair_.client.mailbox().Send(RemoveLaneCommand{{lane}, true});
  }
  pair_.client.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.client.drops(DropReason::kNoLane), kQueue);
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

// Inner flows of lane 0, a shard each packet.
class FlowsTest : public AwaitWindowTest {
 protected:
  // Lets the stage have one shard, with room for so many full records.
  size_t Turn(const Bytes* packet, uint32_t records) {
    Worker& worker = pair_.client.worker();
    session::Lane& lane = worker.lanes[0];
    lane.round = ++worker.outbound.round;
    lane.budget = records * 1500;
    lane.crowding = 0;
    PacketBurst shards;
    if (packet != nullptr) {
      Frame shard;
      shard.mbuf = rte_pktmbuf_alloc(TestPool());
      shard.length = static_cast<uint32_t>(wire::kShardWord + packet->size());
      shard.data = reinterpret_cast<uint8_t*>(
          rte_pktmbuf_append(shard.mbuf, static_cast<uint16_t>(shard.length)));
      wire::ShardWord word;
      word.length = static_cast<uint16_t>(packet->size());
      wire::WriteShardWord(word, shard.data);
      std::copy(packet->begin(), packet->end(), shard.data + wire::kShardWord);
      shard.lane = {0};
      shards.Push(shard);
    }
    worker.now_us = pair_.now_us;
    PacketBurst ready;
    AwaitWindow(worker, shards, ready);
    for (const Frame& shard : ready.frames()) {
      const std::span<const uint8_t> bytes(shard.data, shard.length);
      const auto inner = bytes.subspan(wire::kShardWord);
      sent_.emplace_back(inner.begin(), inner.end());
      rte_pktmbuf_free(shard.mbuf);
    }
    return ready.size();
  }
  // A bulk transfer that is offered twice what goes, for so long.
  void FillFor(const Bytes& packet, int milliseconds) {
    for (int i = 0; i < milliseconds; ++i) {
      pair_.Advance(1000);
      Turn(&packet, 0);
      Turn(i % 2 == 0 ? &packet : nullptr, 1);
    }
  }

  std::vector<Bytes> sent_;
};

TEST_F(FlowsTest, APingPassesWhatABulkTransferHasWaiting) {
  const Bytes bulk = InnerUdp4("10.0.0.2", "10.0.0.1", 1400, 1);
  const Bytes ping = InnerUdp4("10.0.0.3", "10.0.0.1", 84, 2);
  for (int i = 0; i < 500; ++i) ASSERT_EQ(Turn(&bulk, 0), 0u);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Turn(nullptr, 1), 1u);
  Turn(&ping, 0);
  sent_.clear();
  Turn(nullptr, 1);
  Turn(nullptr, 1);
  EXPECT_NE(std::find(sent_.begin(), sent_.end(), ping), sent_.end());
}

TEST_F(FlowsTest, AStandingQueueLosesAPacketNowAndThen) {
  FillFor(InnerUdp4("10.0.0.2", "10.0.0.1", 1400), 800);
  const uint64_t lost = pair_.client.drops(DropReason::kQueueStands);
  EXPECT_GT(lost, 5u);
  EXPECT_LT(lost, 100u);
  EXPECT_EQ(pair_.client.counters().packets_marked.Get(), 0u);
}

// RFC 3168 section 5: either codepoint of a sender that heeds marks.
TEST_F(FlowsTest, WhoHeedsMarksLosesNothing) {
  for (const uint8_t ect : {1, 2}) {
    const uint64_t before = pair_.client.counters().packets_marked.Get();
    Bytes packet = InnerUdp4("10.0.0.2", "10.0.0.1", 1400);
    packet[1] = ect;
    FillFor(packet, 800);
    const uint64_t marked =
        pair_.client.counters().packets_marked.Get() - before;
    EXPECT_GT(marked, 5u);
    EXPECT_EQ(static_cast<uint64_t>(std::count_if(
                  sent_.begin(), sent_.end(),
                  [](const Bytes& sent) { return sent[1] == 3; })),
              marked);
    sent_.clear();
    while (Turn(nullptr, 1) > 0) {
    }
    pair_.client.worker().counters.packets_marked.Set(0);
  }
  EXPECT_EQ(pair_.client.drops(DropReason::kQueueStands), 0u);
}

}  // namespace
}  // namespace lwt::testing
