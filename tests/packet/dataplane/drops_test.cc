// Every reason for which the dataplane drops, hit by a frame or packet that
// deserves it, and by nothing else.
#include <algorithm>

#include "dataplane/wire/record.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr size_t kEthernet = 14;
constexpr size_t kIp = 20;
constexpr size_t kTcp = 32;  // with the timestamp option
constexpr size_t kPayload = kEthernet + kIp + kTcp;

// Recomputes both checksums of an IPv4 TCP frame, in the plainest way.
void FixChecksums(Bytes& frame) {
  const auto sum = [&](size_t from, size_t to, uint32_t start) {
    for (size_t i = from; i < to; i += 2) {
      const uint8_t low = i + 1 < to ? frame[i + 1] : 0;
      start += static_cast<uint32_t>(frame[i] << 8 | low);
    }
    while (start >> 16) start = (start & 0xffff) + (start >> 16);
    return static_cast<uint16_t>(~start);
  };
  const size_t ip = kEthernet;
  const size_t tcp = kEthernet + kIp;
  frame[ip + 10] = frame[ip + 11] = 0;
  const uint16_t ip_sum = sum(ip, tcp, 0);
  frame[ip + 10] = static_cast<uint8_t>(ip_sum >> 8);
  frame[ip + 11] = static_cast<uint8_t>(ip_sum);
  frame[tcp + 16] = frame[tcp + 17] = 0;
  uint32_t pseudo = 6 + static_cast<uint32_t>(frame.size() - tcp);
  for (size_t i = ip + 12; i < ip + 20; i += 2) {
    pseudo += static_cast<uint32_t>(frame[i] << 8 | frame[i + 1]);
  }
  const uint16_t tcp_sum = sum(tcp, frame.size(), pseudo);
  frame[tcp + 16] = static_cast<uint8_t>(tcp_sum >> 8);
  frame[tcp + 17] = static_cast<uint8_t>(tcp_sum);
}

class DropsTest : public ::testing::Test {
 protected:
  void SetUp() override { pair_.Establish(); }

  // The next data frame of the client, not given to the hub.
  Bytes ClientFrame(size_t size = 200) {
    EXPECT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, size)));
    pair_.client.RunAt(pair_.now_us);
    for (Bytes& frame : pair_.client.TakeFromUplink()) {
      if (frame.size() > kPayload) return std::move(frame);
    }
    ADD_FAILURE() << "the client sent nothing";
    return {};
  }

  void GiveHub(const Bytes& frame) {
    ASSERT_TRUE(pair_.hub.GiveToUplink(frame));
    pair_.hub.RunAt(pair_.now_us);
  }

  void ExpectOneDrop(DropReason reason) {
    EXPECT_EQ(pair_.hub.drops(reason), 1u) << NameOf(reason);
    EXPECT_EQ(pair_.hub.total_drops(), 1u);
    EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
  }

  // Seals `content` at the client as a record of any kind and lets it arrive.
  void SendSealed(uint8_t kind, const Bytes& content) {
    pair_.client.mailbox().Send(SendRecordCommand{{0}, kind, content});
    pair_.Settle();
  }

  // A shard with one packet.
  static Bytes Shard(const Bytes& packet) {
    Bytes shard(wire::kShardWord);
    wire::WriteShardWord({static_cast<uint16_t>(packet.size())}, shard.data());
    shard.insert(shard.end(), packet.begin(), packet.end());
    return shard;
  }

  GatewayPair pair_;
};

TEST_F(DropsTest, Truncated) {
  Bytes frame = ClientFrame();
  frame.resize(kEthernet + 10);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kTruncated);
}

TEST_F(DropsTest, Malformed) {
  Bytes frame = ClientFrame();
  frame[kEthernet] = 0x42;  // a header of 8 bytes
  GiveHub(frame);
  ExpectOneDrop(DropReason::kMalformed);
}

TEST_F(DropsTest, NotTcp) {
  Bytes frame = ClientFrame();
  frame[kEthernet + 9] = 17;
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kNotTcp);
}

TEST_F(DropsTest, Fragment) {
  Bytes frame = ClientFrame();
  frame[kEthernet + 6] = 0x20;
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kFragment);
}

TEST_F(DropsTest, BadChecksum) {
  Bytes frame = ClientFrame();
  frame[kEthernet + kIp + 17] ^= 1;
  GiveHub(frame);
  ExpectOneDrop(DropReason::kBadChecksum);
}

TEST_F(DropsTest, NoFlow) {
  Bytes frame = ClientFrame();
  frame[kEthernet + kIp] ^= 1;  // another source port
  FixChecksums(frame);
  GiveHub(frame);
  EXPECT_EQ(pair_.hub.total_drops(), 1u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoFlow) +
                pair_.hub.drops(DropReason::kBadCookie),
            1u);
}

TEST_F(DropsTest, OutOfWindow) {
  Bytes frame = ClientFrame();
  frame[kEthernet + kIp + 4] ^= 0x40;  // seq, 1 GiB away
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kOutOfWindow);
}

TEST_F(DropsTest, BadAck) {
  Bytes frame = ClientFrame();
  frame[kEthernet + kIp + 8] ^= 0x40;
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kBadAck);
}

TEST_F(DropsTest, OldTimestamp) {
  const Bytes old_frame = ClientFrame();
  pair_.Advance(5'000'000);
  GiveHub(ClientFrame());
  ASSERT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  Bytes frame = ClientFrame();
  // The TSval of the first, 5 s older.
  std::copy_n(old_frame.begin() + kEthernet + kIp + 24, 4,
              frame.begin() + kEthernet + kIp + 24);
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kOldTimestamp);
}

TEST_F(DropsTest, ResetIsOnlyAHint) {
  Bytes frame = ClientFrame();
  frame.resize(kPayload);
  frame[kEthernet + 2] = 0;
  frame[kEthernet + 3] = static_cast<uint8_t>(kIp + kTcp);
  frame[kEthernet + kIp + 13] = 0x04;
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kResetHint);
  // The next record still arrives.
  GiveHub(ClientFrame());
}

TEST_F(DropsTest, NoRecord) {
  // Behind a record another begins.
  GiveHub(ClientFrame());
  ASSERT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  Bytes frame = ClientFrame();
  frame[kPayload] = 0x42;
  FixChecksums(frame);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kNoRecord);
}

// Drops the last bytes of a frame's payload, or the first.
Bytes Part(Bytes frame, size_t from, size_t to) {
  const auto payload = frame.begin() + kPayload;
  frame.erase(payload + static_cast<long>(to), frame.end());
  frame.erase(payload, payload + static_cast<long>(from));
  uint32_t seq = 0;
  for (int i = 0; i < 4; ++i) seq = seq << 8 | frame[kEthernet + kIp + 4 + i];
  seq += static_cast<uint32_t>(from);
  for (int i = 0; i < 4; ++i) {
    frame[kEthernet + kIp + 4 + i] = static_cast<uint8_t>(seq >> (24 - 8 * i));
  }
  const auto length = static_cast<uint16_t>(frame.size() - kEthernet);
  frame[kEthernet + 2] = static_cast<uint8_t>(length >> 8);
  frame[kEthernet + 3] = static_cast<uint8_t>(length);
  FixChecksums(frame);
  return frame;
}

TEST_F(DropsTest, RecordCut) {
  // The other parts never come: what is held makes room, the oldest first.
  for (size_t i = 0; i <= CutPieces::kCapacity; ++i) {
    EXPECT_EQ(pair_.hub.total_drops(), 0u);
    const Bytes frame = ClientFrame();
    GiveHub(Part(frame, 0, frame.size() - kPayload - 10));
  }
  ExpectOneDrop(DropReason::kRecordCut);
}

TEST_F(DropsTest, DuplicatePart) {
  const Bytes frame = ClientFrame();
  GiveHub(Part(frame, 0, 100));
  GiveHub(Part(frame, 50, 90));
  ExpectOneDrop(DropReason::kDuplicatePart);
  GiveHub(Part(frame, 90, frame.size() - kPayload));
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  EXPECT_EQ(pair_.hub.total_drops(), 1u);
}

TEST_F(DropsTest, PartsOfALaneThatGoes) {
  const Bytes frame = ClientFrame();
  GiveHub(Part(frame, 0, 100));
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
  pair_.hub.mailbox().Send(RemoveLaneCommand{{0}, false});
  pair_.hub.RunAt(pair_.now_us);
  ExpectOneDrop(DropReason::kNoSession);
}

TEST_F(DropsTest, NoSession) {
  // The flow's last segments may still be on the way when its lane is gone.
  pair_.hub.worker().lanes[0].installed = false;
  GiveHub(ClientFrame());
  ExpectOneDrop(DropReason::kNoSession);
}

TEST_F(DropsTest, UnknownKindIsToldToControlOnce) {
  SendSealed(77, {1});
  SendSealed(77, {2});
  EXPECT_EQ(pair_.hub.drops(DropReason::kUnknownKind), 2u);
  ASSERT_EQ(pair_.hub.events.size(), 1u);
  EXPECT_EQ(pair_.hub.events[0].kind, EventKind::kUnknownKind);
  EXPECT_EQ(pair_.hub.events[0].detail, 77);
}

TEST_F(DropsTest, UnknownEpoch) {
  pair_.client.mailbox().Send(SwitchSendEpochCommand{{0}, TestKeys(0, 1)});
  SendSealed(0, {});
  ExpectOneDrop(DropReason::kUnknownEpoch);
}

TEST_F(DropsTest, Replayed) {
  const Bytes frame = ClientFrame();
  GiveHub(frame);
  ASSERT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  GiveHub(frame);
  ExpectOneDrop(DropReason::kReplayed);
}

TEST_F(DropsTest, TooOld) {
  const Bytes frame = ClientFrame();
  GiveHub(ClientFrame());
  // Move the window by hand past the first frame's number.
  auto& lane = pair_.hub.worker().lanes[0];
  lane.receive.window.Commit(session::ReplayWindow::kSize + 100);
  pair_.hub.TakeFromTunnel();
  GiveHub(frame);
  ExpectOneDrop(DropReason::kTooOld);
}

TEST_F(DropsTest, EveryFlippedBitIsABadTagOrHarmless) {
  const Bytes frame = ClientFrame(60);
  for (size_t bit = kPayload * 8; bit < frame.size() * 8; bit += 7) {
    Bytes flipped = frame;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    FixChecksums(flipped);
    GiveHub(flipped);
  }
  EXPECT_GT(pair_.hub.drops(DropReason::kBadTag), 50u);
  EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
  // Nothing of it moved the window: the true one is still welcome.
  GiveHub(frame);
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
}

TEST_F(DropsTest, GarbageOfEveryLengthIsCounted) {
  const Bytes frame = ClientFrame(1400);
  uint64_t expected = 0;
  for (size_t length = 0; length < frame.size(); length += 13) {
    Bytes garbage(length);
    for (size_t i = 0; i < length; ++i) {
      garbage[i] = static_cast<uint8_t>(i * 31 + length);
    }
    GiveHub(garbage);
    EXPECT_EQ(pair_.hub.total_drops(), ++expected) << length;
  }
}

TEST_F(DropsTest, BadReport) {
  SendSealed(static_cast<uint8_t>(wire::RecordKind::kReport), {1, 2, 3});
  ExpectOneDrop(DropReason::kBadReport);
}

TEST_F(DropsTest, BadShard) {
  SendSealed(0, {0x20, 0x00, 1, 2, 3});
  ExpectOneDrop(DropReason::kBadShard);
}

TEST_F(DropsTest, BadInner) {
  SendSealed(0, Shard(Bytes(40, 0x11)));
  ExpectOneDrop(DropReason::kBadInner);
}

TEST_F(DropsTest, InnerSource) {
  SendSealed(0, Shard(InnerUdp4("10.0.0.3", kHub, 60)));
  ExpectOneDrop(DropReason::kInnerSource);
}

TEST_F(DropsTest, NoRouteAndNotRoutable) {
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, "8.8.8.8", 60)));
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, "224.0.0.1", 60)));
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp6("fe80::1", "ff02::2", 60)));
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kNoRoute), 1u);
  EXPECT_EQ(pair_.client.drops(DropReason::kNotRoutable), 2u);
}

TEST_F(DropsTest, NoRouteBackToTheSamePeer) {
  auto snapshot = OnePeer({"10.0.0.0/24"});
  snapshot->forward_between_peers = true;
  pair_.hub.mailbox().Publish(std::move(snapshot));
  SendSealed(0, Shard(InnerUdp4(kClient, "10.0.0.9", 60)));
  ExpectOneDrop(DropReason::kNoRoute);
}

TEST_F(DropsTest, InnerTooBig) {
  Bytes packet = InnerUdp4(kClient, kHub, 1410);
  packet[6] |= 0x40;  // not to be cut
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kInnerTooBig), 1u);
}

TEST_F(DropsTest, NoLane) {
  pair_.client.mailbox().Send(RemoveLaneCommand{{0}, true});
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kNoLane), 1u);
}

// Nothing is acknowledged: the peer's first window fills, then the queue.
TEST_F(DropsTest, SendQueueFullThenWaitedTooLong) {
  const uint32_t queue = pair_.client.worker().options.send_queue;
  const auto give = [this] {
    for (int j = 0; j < 20; ++j) {
      pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 1400));
    }
    pair_.client.RunAt(pair_.now_us);
    pair_.client.TakeFromUplink();
  };
  while (pair_.client.drops(DropReason::kSendQueueFull) == 0) give();
  EXPECT_EQ(pair_.client.worker().outbound.flow_queues.total(), queue);
  EXPECT_EQ(pair_.client.drops(DropReason::kWaitedTooLong), 0u);
  pair_.Advance(session::FlowQueues::kMaxWaitUs + 1);
  pair_.client.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.client.drops(DropReason::kWaitedTooLong), queue);
}

// Behind, with two peers at work, of which that of the lane has had its share,
// perhaps by other lanes.
TEST_F(DropsTest, OverShare) {
  constexpr PeerIndex kPeer{2};
  WorkShares& shares = pair_.hub.worker().shares;
  session::Lane& lane = pair_.hub.worker().lanes[0];
  lane.peer = kPeer;
  for (int loop = 0; loop < 16; ++loop) {
    shares.SawMore();
    shares.Charge(kPeer, 1'000'000);
    shares.Charge({1}, 1'000);
    pair_.Advance(WorkShares::kPeriodUs / 2);
    shares.Turn(pair_.now_us);
  }
  ASSERT_TRUE(shares.limited());
  const Bytes frame = ClientFrame();
  while (shares.Take(kPeer, WorkShares::kRecord)) {
  }
  GiveHub(frame);
  ExpectOneDrop(DropReason::kOverShare);
  // What tells how the lane is gets through.
  pair_.client.mailbox().Send(ProbeLaneCommand{{0}, 7});
  pair_.Settle();
  EXPECT_EQ(pair_.hub.drops(DropReason::kOverShare), 1u);
  // Each period it has its part again.
  lane.peer = {0};
  pair_.Advance(WorkShares::kPeriodUs);
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 60)));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.drops(DropReason::kOverShare), 1u);
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
}

// The same of what goes to a peer.
TEST_F(DropsTest, OverShareOnTheWayOut) {
  WorkShares& shares = pair_.client.worker().outbound.shares;
  EXPECT_FALSE(shares.counts());
  for (int loop = 0; loop < 16; ++loop) {
    shares.SawMore();
    shares.Charge({0}, 1'000'000);
    shares.Charge({1}, 1'000);
    pair_.Advance(WorkShares::kPeriodUs / 2);
    shares.Turn(pair_.now_us);
  }
  ASSERT_TRUE(shares.limited());
  ASSERT_TRUE(shares.counts());
  while (shares.Take({0}, WorkShares::kRecord)) {
  }
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 60)));
  pair_.client.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.client.drops(DropReason::kOverShare), 1u);
  pair_.Advance(WorkShares::kPeriodUs);
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 60)));
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kOverShare), 1u);
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
}

TEST_F(DropsTest, EpochSpent) {
  pair_.client.worker().lanes[0].send.next_packet = session::kEpochHardLimit;
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kEpochSpent), 1u);
  ASSERT_EQ(pair_.client.events.size(), 1u);
  EXPECT_EQ(pair_.client.events[0].kind, EventKind::kEpochSpent);
}

TEST_F(DropsTest, TunnelFullAndPoolEmpty) {
  auto snapshot = OnePeer({"10.0.0.2/32"});
  snapshot->forward_between_peers = true;
  snapshot->routes = RouteTable({{*ParseIpPrefix("10.0.0.2/32"), {0}},
                                 {*ParseIpPrefix("10.0.0.3/32"), {1}}});
  snapshot->peers.push_back(snapshot->peers[0]);
  pair_.hub.mailbox().Publish(std::move(snapshot));
  Bytes hoard_packet = Shard(InnerUdp4(kClient, "10.0.0.3", 60));
  pair_.client.mailbox().Send(SendRecordCommand{{0}, 0, hoard_packet});
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    pair_.hub.GiveToUplink(frame);
  }
  std::vector<rte_mbuf*> hoard;
  while (rte_mbuf* mbuf = rte_pktmbuf_alloc(TestPool())) hoard.push_back(mbuf);
  pair_.hub.RunAt(pair_.now_us);
  for (rte_mbuf* mbuf : hoard) rte_pktmbuf_free(mbuf);
  EXPECT_EQ(pair_.hub.drops(DropReason::kPoolEmpty), 1u);
  for (int i = 0; i < 3000; ++i) {
    pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 60));
    if (i % 20 == 0) pair_.Settle();
  }
  pair_.Settle();
  EXPECT_GT(pair_.hub.drops(DropReason::kTunnelFull), 0u);
}

TEST_F(DropsTest, UplinkFull) {
  // The client's uplink ring is never emptied.
  for (int i = 0; i < 30; ++i) {
    for (int j = 0; j < 64; ++j) {
      pair_.client.mailbox().Send(SendRecordCommand{{0}, 4, Bytes(10)});
    }
    pair_.client.RunAt(pair_.now_us);
  }
  for (int i = 0; i < 3000 && pair_.client.drops(DropReason::kUplinkFull) == 0;
       ++i) {
    pair_.Advance(300'000);  // retransmissions and tail-loss probes
    pair_.client.RunAt(pair_.now_us);
  }
  EXPECT_GT(pair_.client.drops(DropReason::kUplinkFull), 0u);
}

TEST_F(DropsTest, PuntFullIsNotAcknowledged) {
  // A second flow without a lane, whose control never reads.
  pair_.client.mailbox().Send(
      ConnectCommand{8, *ParseEndpoint("192.0.2.1:40001"),
                     *ParseEndpoint("192.0.2.2:9000"), TestLink()});
  pair_.Settle();
  ASSERT_FALSE(pair_.client.events.empty());
  const FlowId flow = pair_.client.events.back().flow;
  Mailbox& mailbox = pair_.hub.mailbox();
  while (mailbox.PuntStream(flow, 0, {})) {
  }
  pair_.client.mailbox().Send(SendStreamCommand{flow, {1}});
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    pair_.hub.GiveToUplink(frame);
  }
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.drops(DropReason::kPuntFull), 1u);
}

TEST_F(DropsTest, SessionPuntFull) {
  Mailbox& mailbox = pair_.hub.mailbox();
  while (mailbox.PuntRecord({0}, 2, {})) {
  }
  pair_.client.mailbox().Send(SendRecordCommand{{0}, 2, {1}});
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    pair_.hub.GiveToUplink(frame);
  }
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.drops(DropReason::kSessionPuntFull), 1u);
}

// One client cannot fill the ring that the session messages of all go by.
TEST_F(DropsTest, ControlFlood) {
  const std::vector<uint8_t> message(1000);
  const auto flood = [&] {
    for (int i = 0; i < 100; ++i) {
      pair_.client.mailbox().Send(SendRecordCommand{{0}, 2, message});
      pair_.Settle();
    }
  };
  flood();
  const uint64_t taken = pair_.hub.worker().counters.records_punted.Get();
  EXPECT_EQ(taken, session::PuntBudget::kBytes /
                       (session::PuntBudget::kEach + message.size()));
  EXPECT_EQ(pair_.hub.drops(DropReason::kControlFlood), 100 - taken);
  EXPECT_EQ(pair_.hub.drops(DropReason::kSessionPuntFull), 0u);
  // Later it may send as many again.
  pair_.Advance(session::PuntBudget::kPeriodUs);
  flood();
  EXPECT_EQ(pair_.hub.worker().counters.records_punted.Get(), 2 * taken);
}

TEST(HubForwardTest, SendsOnFromPeerToPeer) {
  GatewayPair first;
  first.Establish();
  // The hub's peer 1 is on a lane that is not up; a packet for it is counted
  // there.
  auto snapshot = OnePeer({"10.0.0.2/32"});
  snapshot->forward_between_peers = true;
  snapshot->routes = RouteTable({{*ParseIpPrefix("10.0.0.2/32"), {0}},
                                 {*ParseIpPrefix("10.0.0.3/32"), {1}}});
  snapshot->peers.push_back(snapshot->peers[0]);
  snapshot->peers[1].SetLane({0}, {1});
  first.hub.mailbox().Publish(std::move(snapshot));
  ASSERT_TRUE(first.client.GiveToTunnel(InnerUdp4(kClient, "10.0.0.3", 100)));
  first.Settle();
  EXPECT_EQ(first.hub.counters().forwarded_packets.Get(), 1u);
  EXPECT_EQ(first.hub.total_drops(), 1u);
}

}  // namespace
}  // namespace lwt::testing
