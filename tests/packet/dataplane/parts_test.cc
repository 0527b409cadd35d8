// Records that are longer than a segment of their flow may be: SendInParts
// cuts them, and the peer joins them.
#include <algorithm>
#include <cstdlib>

#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

// Of the hub's link, and what a segment to it carries.
constexpr uint16_t kMtu = 600;
constexpr size_t kMost = kMtu - 20 - 32;

// The client's uplink takes super-frames, or single frames only.
class PartsTest : public ::testing::TestWithParam<bool> {
 protected:
  PartsTest()
      : pair_(SmallWorker(), RingPorts(GetParam()),
              RingPorts(/*segments=*/false, kMtu)) {}
  void SetUp() override { pair_.Establish(); }

  uint64_t cut() { return pair_.client.counters().records_cut.Get(); }

  // Payload sizes of what the client sends until all is still; PSH as told by
  // the sign: negative without.
  std::vector<int> SettledSegments() {
    std::vector<int> sizes;
    pair_.Settle([&sizes](int direction, Bytes& frame) {
      if (direction != 0 || frame.size() <= kOuterHeaders) return true;
      const int size = static_cast<int>(frame.size() - kOuterHeaders);
      const bool push = (frame[14 + 20 + 13] & wire::kPsh) != 0;
      sizes.push_back(push ? size : -size);
      return true;
    });
    return sizes;
  }

  GatewayPair pair_;
};

TEST_P(PartsTest, ARecordLeavesInSegmentsOfTheFlowsSizeAndArrivesWhole) {
  const Bytes packet = InnerUdp4(kClient, kHub, 1409, 0x31);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  const int most = static_cast<int>(kMost);
  const int rest = 1448 - 2 * most;
  EXPECT_EQ(SettledSegments(), (std::vector<int>{-most, -most, rest}));
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
  EXPECT_EQ(cut(), 1u);
}

TEST_P(PartsTest, RecordsBesideItAreNotCut) {
  std::vector<Bytes> packets;
  for (const size_t size : {1409u, 400u, 1409u, 1000u}) {
    packets.push_back(InnerUdp4(kClient, kHub, size, 0x32));
    ASSERT_TRUE(pair_.client.GiveToTunnel(packets.back()));
  }
  for (const int size : SettledSegments()) EXPECT_LE(std::abs(size), 548);
  std::vector<Bytes> got = pair_.hub.TakeFromTunnel();
  std::sort(got.begin(), got.end());
  std::sort(packets.begin(), packets.end());
  EXPECT_EQ(got, packets);
  EXPECT_EQ(cut(), 3u);
  EXPECT_EQ(pair_.client.total_drops(), 0u);
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

// What is kept of the window for reports begins with the first record in
// flight: those of the same burst that were counted without it leave all the
// same.
TEST_P(PartsTest, ABurstThatFillsTheWindowLosesNothing) {
  constexpr size_t kPackets = 60;  // more than the first window holds
  size_t given = 0;
  while (given < kPackets &&
         pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 1409, 0x33))) {
    ++given;
  }
  ASSERT_GT(given * 1448, 65'535u);
  SettledSegments();
  EXPECT_EQ(pair_.client.drops(DropReason::kWindowFull), 0u);
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), given);
}

TEST_P(PartsTest, AControlRecordIsCutToo) {
  const Bytes message(1000, 9);
  pair_.client.mailbox().Send(SendRecordCommand{
      {0}, static_cast<uint8_t>(wire::RecordKind::kControl), message});
  EXPECT_EQ(SettledSegments().size(), 2u);
  ASSERT_EQ(pair_.hub.records.size(), 1u);
  EXPECT_EQ(pair_.hub.records[0].second, message);
  EXPECT_EQ(cut(), 1u);
}

// Pieces of a stream leave however small the peer's segments are, and however
// full the burst is: a prober may offer the smallest MSS that a kernel keeps
// to, and meets the service all the same.
TEST_P(PartsTest, PiecesOfAStreamLeaveInTheSmallestSegments) {
  constexpr uint16_t kLeastMtu = 88 + 40;
  constexpr size_t kPiece = 16 * 1024;  // a relay's
  GatewayPair pair(SmallWorker(), RingPorts(GetParam()),
                   RingPorts(/*segments=*/false, kLeastMtu));
  pair.Establish();
  for (int i = 0; i < 3; ++i) {
    pair.client.mailbox().Send(
        SendStreamCommand{pair.client_flow, Bytes(kPiece)});
  }
  pair.client.RunAt(pair.now_us);
  EXPECT_EQ(pair.client.counters().streams_broken.Get(), 0u);
}

TEST_P(PartsTest, WithoutBuffersNothingIsSentAndTheDropIsNamed) {
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 1409)));
  std::vector<rte_mbuf*> hoard;
  while (rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool())) hoard.push_back(mbuf);
  // One part less than it takes.
  rte_pktmbuf_free(hoard.back());
  hoard.pop_back();
  pair_.client.RunAt(pair_.now_us);
  for (rte_mbuf* mbuf : hoard) rte_pktmbuf_free(mbuf);
  EXPECT_EQ(pair_.client.drops(DropReason::kWindowFull), 1u);
  EXPECT_EQ(cut(), 0u);
  EXPECT_TRUE(SettledSegments().empty());
  // The stream has no gap: what follows arrives.
  const Bytes packet = InnerUdp4(kClient, kHub, 1409, 0x33);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
}

TEST_P(PartsTest, EveryBufferComesBack) {
  const unsigned before = rte_mempool_avail_count(TestPool());
  for (int round = 0; round < 20; ++round) {
    for (uint8_t i = 0; i < 10; ++i) {
      pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 1409, i));
    }
    pair_.Settle();
    pair_.Advance(50'000);
    EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 10u);
  }
  pair_.Settle();
  EXPECT_EQ(cut(), 200u);
  EXPECT_EQ(rte_mempool_avail_count(TestPool()), before);
}

INSTANTIATE_TEST_SUITE_P(Ports, PartsTest, ::testing::Bool());

}  // namespace
}  // namespace lwt::testing
