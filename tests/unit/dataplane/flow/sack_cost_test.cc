// What an ACK costs, in segments looked at: bounded for the worst that a peer
// can say, while an honest one is always understood.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint32_t kSegments = 3000;
constexpr uint32_t kSize = 100;
// Of one ACK: four blocks, each found in a tree of so many holes.
constexpr uint64_t kMostSteps = 128;
// Of one turn of repairs.
constexpr uint64_t kMostRepairSteps = 64;

OuterTcp::Config CostConfig(uint8_t seed) {
  OuterTcp::Config config = RigConfig(seed);
  config.arena_bytes = size_t{14} << 20;
  return config;
}

// A client with many segments in flight, and ACKs of its peer made by hand.
class SackCost : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(rig_.Open());
    rig_.observer = [this](const TcpRig::Side& from, const Frame& frame) {
      if (&from == &rig_.hub) last_ = frame;
    };
    // An ACK of the hub's to begin with.
    rig_.Send(rig_.client, kSize);
    rig_.RunTo(rig_.now_us + 100'000);
    base_ = last_.View().tcp.ack;
    // A wide window.
    wire::FrameView ack = last_.View();
    ack.tcp.window = 2000;
    Give(ack);
    for (uint32_t i = 0; i < kSegments; ++i) {
      rte_mbuf* record = StreamMbuf(0, kSize);
      ASSERT_TRUE(rig_.client.tcp->Encapsulate(rig_.client.flow, record, true,
                                               rig_.now_us));
      rte_pktmbuf_free(record);
    }
  }

  void Give(const wire::FrameView& view) {
    rig_.client.tcp->Receive(view, rig_.now_us, batch_);
    Drain(batch_);
  }

  // Tells of segments [from, to) in up to four blocks; returns the steps.
  using Blocks = std::vector<std::pair<uint32_t, uint32_t>>;
  uint64_t Tell(const Blocks& blocks) {
    wire::FrameView ack = last_.View();
    ack.tcp.ack = base_;
    ack.tcp.options.sack_count = 0;
    for (const auto& [from, to] : blocks) {
      ack.tcp.options.sack[ack.tcp.options.sack_count++] = {
          base_ + from * kSize, base_ + to * kSize};
    }
    const uint64_t before = rig_.client.tcp->totals().sack_steps;
    Give(ack);
    return rig_.client.tcp->totals().sack_steps - before;
  }

  uint64_t Repair() {
    const uint64_t before = rig_.client.tcp->totals().repair_steps;
    rig_.client.tcp->OnTimer(rig_.now_us, batch_);
    rig_.client.tcp->Flush(rig_.now_us, batch_);
    Drain(batch_);
    return rig_.client.tcp->totals().repair_steps - before;
  }

  TcpRig rig_{CostConfig(1), CostConfig(2), {.delay_us = 10'000}, 3};
  Frame last_;
  wire::TcpSeq base_;
  TxBatch batch_;
};

TEST_F(SackCost, BlocksBelowTheTopAreBounded) {
  // All but the first and every second near the top are holes.
  Tell({{kSegments - 1, kSegments}});
  uint64_t most = 0;
  for (uint32_t at = kSegments - 3; at > 8; at -= 8) {
    most = std::max(most, Tell({{at, at + 1},
                                {kSegments - at, kSegments - at + 1},
                                {kSegments / 2, kSegments / 2 + 1},
                                {at / 2 + 1, at / 2 + 2}}));
  }
  EXPECT_LE(most, kMostSteps);
}

TEST_F(SackCost, AtRandomIsBounded) {
  std::mt19937 random(7);
  Tell({{kSegments - 1, kSegments}});
  uint64_t most = 0;
  for (int i = 0; i < 5000; ++i) {
    Blocks blocks;
    for (int block = 0; block < 4; ++block) {
      const uint32_t from = 2 + random() % (kSegments - 10);
      blocks.push_back({from, from + 1 + random() % 3});
    }
    most = std::max(most, Tell(blocks));
  }
  EXPECT_LE(most, kMostSteps);
}

TEST_F(SackCost, ATopThatGrowsCostsNothing) {
  for (uint32_t right = 102; right < kSegments; right += 2) {
    ASSERT_EQ(Tell({{100, right}}), 0u) << right;
  }
}

TEST_F(SackCost, RepairsAreBounded) {
  // Before it could be taken for a queue that ran over.
  rig_.now_us += 22'000;
  Tell({{kSegments - 1, kSegments}});
  for (int i = 0; i < 200; ++i) {
    ASSERT_LE(Repair(), kMostRepairSteps);
    rig_.now_us += 1000;
  }
  // Little was acknowledged, so little is sent again, though more is lost.
  const auto stats = rig_.client.tcp->Stats(rig_.client.flow);
  const uint64_t size = stats->bytes_sent / stats->segments_sent;
  EXPECT_GE(stats->segments_retransmitted * size,
            OuterFlow::kFirstRepairCredit);
  EXPECT_LE(stats->segments_retransmitted * size,
            OuterFlow::kFirstRepairCredit + 10 * size);
  EXPECT_LE(Repair(), kMostRepairSteps);
}

TEST_F(SackCost, WhatIsNotDueIsNotLookedAt) {
  // The path reorders, so that nothing is lost before its time.
  Tell({{kSegments - 1, kSegments}});
  Tell({{kSegments - 3, kSegments - 2}});
  EXPECT_LE(Repair(), 1u);
  EXPECT_LE(Repair(), 1u);
}

// 500 Mbit/s and 50 ms, with losses both ways: no more is sent again than was
// lost, so every block that mattered was taken.
TEST(SackCostOfALossyLine, NothingIsSentAgainForWantOfSteps) {
  for (const double loss : {0.01, 0.05, 0.1}) {
    TcpRig rig(CostConfig(1), CostConfig(2), {.delay_us = 25'000}, 11);
    ASSERT_TRUE(rig.Open());
    rig.link.loss = loss;
    uint64_t lost = 0;
    rig.prove_hub = true;
    std::mt19937_64 random(5);
    std::uniform_real_distribution<double> chance(0, 1);
    rig.link.loss = 0;
    rig.filter = [&](const wire::FrameView& view) {
      if (view.tcp.payload.empty() || chance(random) >= loss) return true;
      ++lost;
      return false;
    };
    for (int step = 0; step < 2000; ++step) {
      for (int i = 0; i < 22; ++i) rig.Send(rig.client, 1400);
      rig.FlushBoth();
      rig.RunTo(rig.now_us + 500);
    }
    // What was lost at last, and what was lost time and again.
    rig.RunTo(rig.now_us + 500'000);
    const auto stats = rig.client.tcp->Stats(rig.client.flow);
    EXPECT_GT(stats->segments_sent, 20'000u) << loss;
    EXPECT_GE(stats->segments_retransmitted * 100, lost * 90) << loss;
    EXPECT_LE(stats->segments_retransmitted * 100, lost * 105) << loss;
  }
}

}  // namespace
}  // namespace lwt::test
