// Runs of records: one super-frame, and on the wire what single frames are.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "drivers/vnet_header.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

using Sizes = std::vector<uint16_t>;

OuterTcp::Config RunConfig(bool port_segments) {
  OuterTcp::Config config;
  config.max_proven_flows = 4;
  config.syn_backlog = 64;
  config.arena_bytes = 4u << 20;
  config.pool = PacketPool();
  config.secret = {1, 2, 3};
  config.port_segments = port_segments;
  return config;
}

// Looks when all else of a fixture is gone: a flow keeps what it sent.
struct NoBufferIsLeft {
  ~NoBufferIsLeft() { EXPECT_EQ(rte_mempool_in_use_count(PacketPool()), 0u); }
};

class OuterTcpRunTest : public testing::Test {
  const NoBufferIsLeft no_buffer_is_left_;

 protected:
  explicit OuterTcpRunTest(bool port_segments = true)
      : rig_(RunConfig(port_segments), RunConfig(port_segments),
             {.delay_us = 1000}, 1) {}
  void SetUp() override { ASSERT_TRUE(rig_.Open()); }
  void TearDown() override {
    EXPECT_EQ(rig_.faults, std::vector<std::string>{});
  }

  // Makes one frame of records of these sizes and returns how many it took.
  size_t Encapsulate(const Sizes& sizes, std::vector<rte_mbuf*>& records,
                     bool push = true) {
    uint64_t offset = rig_.client.tcp->Stats(rig_.client.flow)->bytes_sent;
    for (const uint16_t size : sizes) {
      records.push_back(StreamMbuf(offset, size));
      offset += size;
    }
    return rig_.client.tcp->EncapsulateRun(rig_.client.flow, records, push,
                                           rig_.now_us);
  }
  static void Free(std::vector<rte_mbuf*>& records, size_t taken) {
    // The head owns those that were taken.
    if (taken > 0) rte_pktmbuf_free(records[0]);
    for (size_t i = std::max<size_t>(taken, 1); i < records.size(); ++i) {
      rte_pktmbuf_free(records[i]);
    }
    if (taken == 0) rte_pktmbuf_free(records[0]);
    records.clear();
  }
  size_t Taken(const Sizes& sizes) {
    std::vector<rte_mbuf*> records;
    const size_t taken = Encapsulate(sizes, records);
    Free(records, taken);
    return taken;
  }

  TcpRig rig_;
};

TEST_F(OuterTcpRunTest, IsOneChainThatAsksThePortToCutIt) {
  std::vector<rte_mbuf*> records;
  ASSERT_EQ(Encapsulate({1448, 1448, 1448, 700}, records), 4u);
  const rte_mbuf* frame = records[0];
  constexpr uint32_t kHeaders = 14 + 20 + 32;
  EXPECT_EQ(frame->nb_segs, 4);
  EXPECT_EQ(frame->pkt_len, kHeaders + 3 * 1448 + 700);
  EXPECT_EQ(frame->next, records[1]);
  EXPECT_TRUE(IsSuperFrame(*frame));
  EXPECT_EQ(frame->tso_segsz, 1448);
  EXPECT_EQ(frame->l2_len, 14);
  EXPECT_EQ(frame->l3_len, 20);
  EXPECT_EQ(frame->l4_len, 32);
  Free(records, 4);
  // A lone record asks for its checksum only.
  ASSERT_EQ(Encapsulate({1448}, records), 1u);
  EXPECT_FALSE(IsSuperFrame(*records[0]));
  EXPECT_EQ(records[0]->ol_flags & RTE_MBUF_F_TX_L4_MASK,
            RTE_MBUF_F_TX_TCP_CKSUM);
  Free(records, 1);
}

TEST_F(OuterTcpRunTest, EndsWhereOneSizeEnds) {
  EXPECT_EQ(Taken({900, 900, 900, 901}), 3u);
  EXPECT_EQ(Taken({900, 900, 500, 900}), 3u);
  EXPECT_EQ(Taken({500, 900}), 1u);
  EXPECT_EQ(Taken({1448, 40}), 2u);
  EXPECT_EQ(Taken({1449, 1448}), 0u);
}

TEST_F(OuterTcpRunTest, StaysWithinAFrameAndAChain) {
  rig_.RunTo(rig_.now_us + 100'000);
  ASSERT_GT(rig_.client.tcp->Sendable(rig_.client.flow), 46u * 1200u);
  const size_t taken = Taken(Sizes(60, 1448));
  EXPECT_LE(14 + 52 + taken * 1448, 65535u);
  EXPECT_GT(14 + 52 + (taken + 1) * 1448, std::min<size_t>(65535, 64 * 1024));
  rig_.RunTo(rig_.now_us + 1'000'000);
  EXPECT_EQ(Taken(Sizes(100, 60)), kMaxChain);
}

TEST_F(OuterTcpRunTest, WindowEndsARunInTheMiddle) {
  const uint64_t window = rig_.client.tcp->Stats(rig_.client.flow)->peer_window;
  uint64_t sent = 0;
  size_t taken = 0;
  do {
    taken = Taken(Sizes(7, 1448));
    sent += taken * 1448;
  } while (taken == 7);
  EXPECT_LE(sent, window);
  EXPECT_GT(sent + 1448, window);
  EXPECT_EQ(Taken({1448}), 0u);
  EXPECT_EQ(rig_.client.tcp->Stats(rig_.client.flow)->bytes_in_flight, sent);
}

// The first window is 64 KiB, a steady megabyte a round trip needs more: after
// six round trips the window never stands in its way again.
TEST_F(OuterTcpRunTest, WindowGrowsOutOfTheWayOfBulk) {
  rig_.link.delay_us = 5000;
  constexpr uint64_t kPerMs = 100'000;
  uint64_t owed = 0;
  bool throttled_at_first = false;
  for (int ms = 0; ms < 200; ++ms) {
    owed += kPerMs;
    while (owed >= 1448) {
      const size_t taken = rig_.SendRun(
          rig_.client, Sizes(std::min<size_t>(owed / 1448, 45), 1448));
      if (taken == 0) break;
      owed -= taken * 1448;
    }
    if (owed >= kPerMs) throttled_at_first |= ms < 30;
    // What was held back at first is made up for by then.
    if (ms >= 90) {
      ASSERT_LT(owed, 1448u) << "after " << ms << " ms";
    }
    rig_.FlushBoth();
    rig_.RunTo(rig_.now_us + 1000);
  }
  EXPECT_TRUE(throttled_at_first);
  ASSERT_TRUE(rig_.RunUntil(2'000'000, [this] {
    return rig_.client.tcp->Stats(rig_.client.flow)->bytes_in_flight == 0;
  }));
}

TEST_F(OuterTcpRunTest, AClosedFlowTakesNothing) {
  rig_.client.tcp->Close(rig_.client.flow, rig_.now_us);
  EXPECT_EQ(Taken({1448, 1448}), 0u);
  EXPECT_EQ(
      rig_.client.tcp->EncapsulateRun(rig_.client.flow, {}, true, rig_.now_us),
      0u);
}

TEST_F(OuterTcpRunTest, EverySegmentIsRepairedByItself) {
  for (uint32_t lost = 0; lost < 12; ++lost) {
    const uint64_t begin = rig_.client.tcp->Stats(rig_.client.flow)->bytes_sent;
    const auto before = rig_.client.tcp->Stats(rig_.client.flow);
    uint32_t seen = 0;
    rig_.filter = [&](const wire::FrameView& view) {
      if (view.tcp.payload.empty() || view.tcp.source_port != 40000) {
        return true;
      }
      return seen++ != lost;
    };
    Sizes sizes(12, 1448);
    sizes.back() = 333;
    ASSERT_EQ(rig_.SendRun(rig_.client, sizes), 12u);
    ASSERT_TRUE(rig_.RunUntil(2'000'000, [&] {
      return rig_.client.tcp->Stats(rig_.client.flow)->bytes_in_flight == 0;
    }));
    const auto after = rig_.client.tcp->Stats(rig_.client.flow);
    EXPECT_EQ(after->bytes_sent - begin, 11u * 1448u + 333u);
    EXPECT_EQ(after->segments_sent - before->segments_sent, 12u);
    EXPECT_EQ(after->segments_retransmitted - before->segments_retransmitted,
              1u);
    EXPECT_TRUE(rig_.Complete(rig_.client));
  }
}

// What both kinds of port put on the wire, byte for byte: numbers, IDs,
// windows, timestamps, PSH, checksums.
class OuterTcpLook : public testing::TestWithParam<bool> {};

std::vector<std::vector<uint8_t>> WireOf(bool port_segments, bool ipv6) {
  TcpRig rig(RunConfig(port_segments), RunConfig(port_segments),
             {.delay_us = 1000}, 5);
  std::vector<std::vector<uint8_t>> wire;
  rig.observer = [&wire](const TcpRig::Side&, const Frame& frame) {
    wire.push_back(frame.bytes);
  };
  EXPECT_TRUE(ipv6 ? rig.Open("[2001:db8::1]:40000", "[2001:db8::2]:9000")
                   : rig.Open());
  for (int round = 0; round < 20; ++round) {
    for (TcpRig::Side* side : {&rig.client, &rig.hub}) {
      Sizes sizes(static_cast<size_t>(5 + round), 1200);
      sizes.push_back(static_cast<uint16_t>(100 + round));
      while (!sizes.empty()) {
        const size_t taken = rig.SendRun(*side, sizes);
        EXPECT_GT(taken, 0u);
        if (taken == 0) return {};
        sizes.erase(sizes.begin(), sizes.begin() + static_cast<int>(taken));
      }
    }
    rig.FlushBoth();
    rig.RunTo(rig.now_us + 3000);
  }
  EXPECT_EQ(rig.faults, std::vector<std::string>{});
  return wire;
}

TEST_P(OuterTcpLook, OfARunIsThatOfSingleFrames) {
  const auto runs = WireOf(true, GetParam());
  const auto singles = WireOf(false, GetParam());
  EXPECT_GT(runs.size(), 600u);
  ASSERT_EQ(runs.size(), singles.size());
  for (size_t i = 0; i < runs.size(); ++i) {
    ASSERT_EQ(runs[i], singles[i]) << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, OuterTcpLook, testing::Bool());

}  // namespace
}  // namespace lwt::test
