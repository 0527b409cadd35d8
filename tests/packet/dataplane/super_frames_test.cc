// Super-frames of the tunnel device through two gateways, and what becomes of
// those that cannot pass.
#include <algorithm>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/fake_tunnel.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::testing {
namespace {

constexpr size_t kInnerIp = 20;
constexpr size_t kSegment = 1348;  // inner packets of 1400 bytes

// A node whose tunnel cuts and takes super-frames.
NodePorts OffloadPorts(FakeTunnel*& tunnel) {
  NodePorts ports = RingPorts();
  auto port = std::make_unique<FakeTunnel>();
  tunnel = port.get();
  ports.tunnel = std::move(port);
  return ports;
}

// TCP from the client (10.0.0.2) to the hub, as the kernel hands it over.
Bytes Super(size_t payload, uint8_t flags = 0x18) {
  InnerSpec spec;
  spec.payload = payload;
  spec.flags = flags;
  Bytes super = MakeInner(spec);
  Unfinish(super, kInnerIp, false);
  return super;
}

class SuperFramesTest : public ::testing::Test {
 protected:
  SuperFramesTest()
      : pair_(SmallWorker(), OffloadPorts(client_), OffloadPorts(hub_)) {}
  void SetUp() override { pair_.Establish(); }

  void GiveSuper(const Bytes& super, size_t segment_size = kSegment) {
    client_->GiveSuper(TestJumboPool(), super, kInnerIp, false, segment_size);
  }
  // What a kernel behind the hub's tunnel makes of what came.
  std::vector<Bytes> Arrived() {
    std::vector<Bytes> all;
    for (const FakeTunnel::Sent& sent : hub_->sent) {
      if (sent.is_super()) {
        const auto cut =
            SlowSegments(sent.bytes, kInnerIp, false, sent.segment_size);
        all.insert(all.end(), cut.begin(), cut.end());
      } else {
        Bytes one = sent.bytes;
        if ((sent.flags & RTE_MBUF_F_TX_L4_MASK) != 0)
          Finish(one, kInnerIp, false);
        all.push_back(one);
      }
    }
    return all;
  }

  FakeTunnel* client_ = nullptr;
  FakeTunnel* hub_ = nullptr;
  GatewayPair pair_;
};

TEST_F(SuperFramesTest, CrossWholeAndInFewCalls) {
  const Bytes super = Super(40 * kSegment + 100);
  GiveSuper(super);
  pair_.Settle();
  EXPECT_EQ(Arrived(), SlowSegments(super, kInnerIp, false, kSegment));
  EXPECT_LE(hub_->sent.size(), 4u);
  EXPECT_EQ(pair_.client.counters().tunnel_rx_packets.Get(), 41u);
  EXPECT_EQ(pair_.client.counters().tunnel_rx_super.Get(), 1u);
  EXPECT_EQ(pair_.hub.counters().tunnel_tx_packets.Get(), 41u);
  EXPECT_EQ(pair_.hub.counters().tunnel_tx_super.Get(), hub_->sent.size());
  EXPECT_EQ(pair_.client.total_drops() + pair_.hub.total_drops(), 0u);
}

// More segments than a burst holds: what does not fit waits, none is lost.
TEST_F(SuperFramesTest, TinySegmentsAreTakenInParts) {
  const Bytes super = Super(12'000);
  GiveSuper(super, 8);
  pair_.Settle();
  EXPECT_EQ(pair_.client.counters().tunnel_rx_packets.Get(), 1500u);
  EXPECT_EQ(pair_.client.counters().tunnel_rx_super.Get(), 1u);
  EXPECT_EQ(Arrived(), SlowSegments(super, kInnerIp, false, 8));
  EXPECT_EQ(pair_.client.total_drops(), 0u);
}

TEST_F(SuperFramesTest, PacketsBeforeAndBehindKeepTheirPlace) {
  std::vector<Bytes> expected;
  for (uint8_t i = 0; i < 5; ++i) {
    InnerSpec spec;
    spec.payload = 10;
    spec.seq = 500 + i;
    const Bytes single = MakeInner(spec);
    expected.push_back(single);
    client_->Give(TestPool(), single, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
    const Bytes super = Super(3 * kSegment);
    const auto cut = SlowSegments(super, kInnerIp, false, kSegment);
    expected.insert(expected.end(), cut.begin(), cut.end());
    GiveSuper(super);
  }
  pair_.Settle();
  EXPECT_EQ(Arrived(), expected);
}

TEST_F(SuperFramesTest, PureAcknowledgementsPassAlone) {
  InnerSpec spec;
  spec.payload = 0;
  for (int i = 0; i < 3; ++i) {
    spec.ack += 1000;
    Bytes packet = MakeInner(spec);
    client_->Give(TestPool(), packet, RTE_MBUF_F_RX_L4_CKSUM_GOOD);
  }
  pair_.Settle();
  EXPECT_EQ(hub_->sent.size(), 3u);
}

TEST_F(SuperFramesTest, LargerThanThePeersMtuIsDroppedAndEachPacketCounted) {
  GiveSuper(Super(4 * 1370), 1370);
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kInnerTooBig), 4u);
  EXPECT_EQ(pair_.client.total_drops(), 4u);
}

TEST_F(SuperFramesTest, WhatCannotBeCutIsDropped) {
  Bytes super = Super(4000);
  super[9] = 1;  // ICMP
  GiveSuper(super);
  GiveSuper(Super(4000), 0);
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kBadInner), 2u);
  EXPECT_EQ(pair_.client.counters().tunnel_rx_packets.Get(), 2u);
}

TEST_F(SuperFramesTest, EmptyPoolCountsEveryPacket) {
  GiveSuper(Super(10 * kSegment));
  std::vector<rte_mbuf*> hoard;
  while (rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool())) hoard.push_back(mbuf);
  pair_.client.RunAt(pair_.now_us);
  for (rte_mbuf* mbuf : hoard) rte_pktmbuf_free(mbuf);
  EXPECT_EQ(pair_.client.drops(DropReason::kPoolEmpty), 10u);
}

TEST_F(SuperFramesTest, FullTunnelCountsThePacketsOfARun) {
  hub_->room = 0;
  GiveSuper(Super(10 * kSegment));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.drops(DropReason::kTunnelFull), 10u);
}

TEST_F(SuperFramesTest, UnfinishedChecksumOfNoTransportIsRefused) {
  InnerSpec spec;
  Bytes packet = MakeInner(spec);
  packet[9] = 1;  // ICMP
  wire::ShardWord word;
  word.length = static_cast<uint16_t>(packet.size());
  word.checksum_unfinished = true;
  Bytes shard(wire::kShardWord);
  wire::WriteShardWord(word, shard.data());
  shard.insert(shard.end(), packet.begin(), packet.end());
  pair_.client.mailbox().Send(SendRecordCommand{{0}, 0, shard});
  pair_.Settle();
  EXPECT_EQ(pair_.hub.drops(DropReason::kBadInner), 1u);
  EXPECT_TRUE(hub_->sent.empty());
}

// A changed byte passes the tunnel as it is, alone, for its receiver to see.
TEST_F(SuperFramesTest, WrongChecksumIsNotMerged) {
  InnerSpec spec;
  spec.payload = 1000;
  std::vector<Bytes> packets;
  for (int i = 0; i < 4; ++i) {
    packets.push_back(MakeInner(spec));
    spec.seq += 1000;
    ++spec.id;
  }
  packets[1].back() ^= 1;
  for (const Bytes& packet : packets) client_->Give(TestPool(), packet);
  pair_.Settle();
  ASSERT_EQ(hub_->sent.size(), 3u);
  EXPECT_EQ(hub_->sent[1].bytes, packets[1]);
  EXPECT_EQ(hub_->sent[1].flags & RTE_MBUF_F_TX_L4_MASK, 0u);
  EXPECT_TRUE(hub_->sent[2].is_super());
}

// The same ID on packets that may not be fragmented (RFC 6864).
TEST_F(SuperFramesTest, FixedIdsOfAtomicPacketsMerge) {
  InnerSpec spec;
  spec.payload = 1000;
  for (const bool dont_fragment : {true, false}) {
    hub_->sent.clear();
    spec.dont_fragment = dont_fragment;
    for (int i = 0; i < 4; ++i) {
      client_->Give(TestPool(), MakeInner(spec));
      spec.seq += 1000;
    }
    pair_.Settle();
    EXPECT_EQ(hub_->sent.size(), dont_fragment ? 1u : 4u);
  }
}

// To a device without segmentation each packet goes alone and complete.
TEST(SuperFramesToPlainTunnelTest, ChecksumsAreCompleted) {
  FakeTunnel* tunnel = nullptr;
  GatewayPair pair(SmallWorker(), OffloadPorts(tunnel), RingPorts());
  pair.Establish();
  const Bytes super = Super(9 * kSegment + 1);
  tunnel->GiveSuper(TestJumboPool(), super, kInnerIp, false, kSegment);
  pair.Settle();
  EXPECT_EQ(pair.hub.TakeFromTunnel(),
            SlowSegments(super, kInnerIp, false, kSegment));
}

// From peer to peer the word of the sender goes along.
TEST(SuperFramesToPeerTest, ForwardKeepsWhatIsKnownOfTheChecksum) {
  FakeTunnel* tunnel = nullptr;
  Node node("f", SmallWorker(), OffloadPorts(tunnel));
  auto snapshot = OnePeer({"10.0.0.1/32"});
  snapshot->forward_between_peers = true;
  Worker& worker = node.worker();
  worker.snapshot = snapshot.get();
  const Bytes packet = MakeInner(InnerSpec{});
  for (const InnerChecksum state :
       {InnerChecksum::kUnknown, InnerChecksum::kGood,
        InnerChecksum::kUnfinished}) {
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(TestPool());
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(packet.size())));
    frame.length = static_cast<uint32_t>(packet.size());
    frame.lane = {0};
    frame.peer = {1};
    frame.checksum = state;
    std::copy(packet.begin(), packet.end(), frame.data);
    worker.inbound.packets.Push(frame);
  }
  Forward(worker, worker.inbound.packets);
  ASSERT_EQ(worker.outbound.packets.size(), 3u);
  EXPECT_EQ(worker.outbound.packets.frames()[0].checksum,
            InnerChecksum::kUnknown);
  EXPECT_EQ(worker.outbound.packets.frames()[1].checksum, InnerChecksum::kGood);
  EXPECT_EQ(worker.outbound.packets.frames()[2].checksum,
            InnerChecksum::kUnfinished);
  for (const Frame& frame : worker.outbound.packets.frames()) {
    rte_pktmbuf_free(frame.mbuf);
  }
  worker.outbound.packets.Clear();
  worker.snapshot = nullptr;
}

}  // namespace
}  // namespace lwt::testing
