// Who may keep a packet's buffer beyond its burst: nobody who has proved
// nothing, and control never (docs/security.md#what-holds-a-buffer).
#include <rte_mempool.h>

#include "dataplane/loop.h"
#include "dataplane/wire/checksum.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

class BuffersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    pair_.Establish();
    pair_.client.mailbox().Send(
        ConnectCommand{8, *ParseEndpoint("192.0.2.1:40001"),
                       *ParseEndpoint("192.0.2.2:9000"), TestLink()});
    pair_.Settle();
    ASSERT_FALSE(pair_.client.events.empty());
    stranger_ = pair_.client.events.back().flow;
  }

  // A segment of the stranger's as the client's worker makes it.
  Bytes Segment(const Bytes& payload) {
    pair_.client.mailbox().Send(SendStreamCommand{stranger_, payload});
    pair_.client.RunAt(pair_.now_us);
    const auto frames = pair_.client.TakeFromUplink();
    EXPECT_EQ(frames.size(), 1u);
    return frames.at(0);
  }
  // The same merged with others, as the kernel's GRO would, `skip` bytes
  // further on in the stream.
  static Bytes Merged(Bytes frame, size_t payload, uint32_t skip) {
    frame.resize(kOuterHeaders + payload, 0x17);
    uint8_t* const ip = &frame[14];
    wire::StoreBe16(ip + 2, static_cast<uint16_t>(frame.size() - 14));
    wire::StoreChecksum(ip + 10, 0);
    wire::StoreChecksum(ip + 10,
                        wire::ChecksumFinish(wire::ChecksumAdd(ip, 20)));
    wire::StoreBe32(ip + 24, wire::LoadBe32(ip + 24) + skip);
    return frame;
  }
  // Control sees nothing of this.
  void RunHub() {
    pair_.hub.worker().now_us = pair_.now_us;
    RunLoopOnce(pair_.hub.worker());
  }

  GatewayPair pair_;
  FlowId stranger_;
};

// 64 connections once held all 256 of a worker. What a stranger's bytes cost is
// the same whether they come in order or behind a hole.
TEST_F(BuffersTest, AStrangersBytesHoldNoBuffer) {
  const Bytes segment = Segment({0x16});
  const unsigned before = rte_mempool_avail_count(TestJumboPool());
  const uint64_t punted = pair_.hub.counters().streams_punted.Get();
  for (const uint32_t skip : {10'001u, 1u, 20'001u, 0u}) {
    ASSERT_TRUE(pair_.hub.GiveToUplink(Merged(segment, 10'000, skip),
                                       /*merged=*/true));
  }
  RunHub();
  EXPECT_EQ(pair_.hub.counters().streams_punted.Get(), punted + 4);
  EXPECT_EQ(rte_mempool_avail_count(TestJumboPool()), before);
}

// Nor do control records, of which one client may send as many as it likes.
TEST_F(BuffersTest, ControlRecordsHoldNoBuffer) {
  const unsigned before = rte_mempool_avail_count(TestPool());
  for (int i = 0; i < 20; ++i) {
    pair_.client.mailbox().Send(SendRecordCommand{{0}, 2, Bytes(100, 1)});
  }
  pair_.client.RunAt(pair_.now_us);
  const auto frames = pair_.client.TakeFromUplink();
  const unsigned kept = before - rte_mempool_avail_count(TestPool());
  for (const Bytes& frame : frames) {
    ASSERT_TRUE(pair_.hub.GiveToUplink(frame));
  }
  RunHub();
  EXPECT_EQ(pair_.hub.counters().records_punted.Get(), 20u);
  // The client's own, to be sent again, and the hub's ACK at the most.
  EXPECT_LE(before - rte_mempool_avail_count(TestPool()), kept + 1);
}

// What came before the lane stood comes back in buffers of the worker's, whole
// records together.
TEST_F(BuffersTest, BytesGivenBackAreCutIntoBuffersAtRecords) {
  std::vector<Bytes> packets;
  Bytes stream;
  for (uint8_t i = 0; i < 40; ++i) {
    packets.push_back(InnerUdp4(kClient, kHub, 700 + 17 * i, i));
    ASSERT_TRUE(pair_.client.GiveToTunnel(packets.back()));
    pair_.client.RunAt(pair_.now_us);
    for (const Bytes& frame : pair_.client.TakeFromUplink()) {
      stream.insert(stream.end(), frame.begin() + kOuterHeaders, frame.end());
    }
  }
  pair_.hub.mailbox().Send(ReinjectCommand{pair_.hub_flow, 0, stream});
  std::vector<Bytes> got;
  for (int i = 0; i < 4; ++i) {
    pair_.hub.RunAt(pair_.now_us);
    for (Bytes& packet : pair_.hub.TakeFromTunnel()) {
      got.push_back(std::move(packet));
    }
  }
  EXPECT_EQ(got, packets);
  EXPECT_EQ(pair_.hub.counters().records_joined.Get(), 0u);
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

}  // namespace
}  // namespace lwt::testing
