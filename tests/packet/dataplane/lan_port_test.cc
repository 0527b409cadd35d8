// A client with a LAN port and a hub without: what is routed, answered, asked
// for, and left to the kernel.
#include <algorithm>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "tests/packet/dataplane/fake_tunnel.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::testing {
namespace {

constexpr LanTable::Mac kOurMac = {2, 0, 0, 0, 0, 1};
constexpr LanTable::Mac kHostMac = {2, 0, 0, 0, 0, 2};
constexpr size_t kLink = 14;

IpAddress Ip(std::string_view text) { return ParseIpAddress(text).value(); }

void SetTtl(Bytes& packet, uint8_t ttl) {
  packet[8] = ttl;
  wire::StoreBe16(&packet[10], 0);
  const uint16_t sum =
      wire::ChecksumFinish(wire::ChecksumAdd(packet.data(), 20));
  std::memcpy(&packet[10], &sum, sizeof(sum));
}

Bytes Udp(const std::string& from, const std::string& to, size_t size,
          uint8_t ttl = 64) {
  Bytes packet = InnerUdp4(from, to, size, 7);
  SetTtl(packet, ttl);
  return packet;
}

Bytes Framed(const LanTable::Mac& to, const LanTable::Mac& from, uint16_t type,
             const Bytes& packet) {
  Bytes frame(to.begin(), to.end());
  frame.insert(frame.end(), from.begin(), from.end());
  frame.push_back(static_cast<uint8_t>(type >> 8));
  frame.push_back(static_cast<uint8_t>(type));
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

// As the LAN host sends it.
Bytes FromHost(const Bytes& packet) {
  return Framed(kOurMac, kHostMac, 0x0800, packet);
}

WorkerOptions With(Port* lan, Port* twin) {
  WorkerOptions options = SmallWorker();
  options.lan = lan;
  options.twin = twin;
  return options;
}

class LanPortTest : public ::testing::Test {
 protected:
  explicit LanPortTest(bool twin = false)
      : pair_(With(&lan_, twin ? &twin_ : nullptr), SmallWorker(), RingPorts(),
              RingPorts()) {}
  void SetUp() override {
    pair_.hub.mailbox().Publish(OnePeer({"10.0.0.2/32", "10.7.0.0/24"}));
    auto client = OnePeer({"10.0.0.0/24", "fd00::/64"});
    client->own_addresses = {*ParseIpPrefix("10.0.0.2/24")};
    pair_.client.mailbox().Publish(std::move(client));
    LanTable::Spec spec;
    spec.mac = kOurMac;
    spec.mtu = 1300;
    spec.addresses = {*ParseIpPrefix("10.7.0.1/24")};
    spec.tunnel_addresses = {Ip("10.0.0.2")};
    spec.neighbours = {{Ip("10.7.0.2"), kHostMac}};
    pair_.client.mailbox().PublishLan(
        std::make_shared<const LanTable>(std::move(spec)));
    pair_.Establish();
  }

  void GiveFrame(const Bytes& frame, uint64_t flags = 0) {
    lan_.Give(TestPool(), frame, flags);
    pair_.Settle();
  }
  void GiveFromHub(const Bytes& packet) {
    ASSERT_TRUE(pair_.hub.GiveToTunnel(packet));
    pair_.Settle();
  }
  // The only frame that the LAN port was given, split off its link header.
  Bytes OnlyFrame(const LanTable::Mac& to) {
    if (lan_.sent.size() != 1) {
      ADD_FAILURE() << lan_.sent.size() << " frames";
      return {};
    }
    const Bytes frame = lan_.sent[0].bytes;
    const Bytes packet(frame.begin() + kLink, frame.end());
    EXPECT_EQ(frame, Framed(to, kOurMac, 0x0800, packet));
    return packet;
  }

  FakeTunnel lan_;
  FakeTunnel twin_;
  GatewayPair pair_;
};

class LanTwinTest : public LanPortTest {
 protected:
  LanTwinTest() : LanPortTest(/*twin=*/true) {}
};

TEST_F(LanPortTest, RoutesFromTheLanToAPeer) {
  Bytes packet = Udp("10.7.0.2", "10.0.0.1", 33);
  Bytes frame = FromHost(packet);
  frame.resize(60);  // padded, as short frames are
  GiveFrame(frame);
  SetTtl(packet, 63);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
  EXPECT_EQ(pair_.client.counters().lan_rx_packets.Get(), 1u);
  EXPECT_EQ(pair_.client.counters().tunnel_rx_packets.Get(), 0u);
  EXPECT_EQ(pair_.client.total_drops(), 0u);
}

TEST_F(LanPortTest, RoutesFromAPeerToTheLan) {
  Bytes packet = Udp("10.0.0.1", "10.7.0.2", 100);
  GiveFromHub(packet);
  SetTtl(packet, 63);
  EXPECT_EQ(OnlyFrame(kHostMac), packet);
  EXPECT_EQ(pair_.client.counters().lan_tx_packets.Get(), 1u);
  EXPECT_TRUE(pair_.client.TakeFromTunnel().empty());
}

TEST_F(LanPortTest, LeavesOwnAddressesToTheKernel) {
  const Bytes to_lan = Udp("10.0.0.1", "10.7.0.1", 100);
  const Bytes to_tunnel = Udp("10.0.0.1", "10.0.0.2", 100);
  GiveFromHub(to_lan);
  GiveFromHub(to_tunnel);
  EXPECT_EQ(pair_.client.TakeFromTunnel(),
            (std::vector<Bytes>{to_lan, to_tunnel}));
  EXPECT_TRUE(lan_.sent.empty());
}

TEST_F(LanPortTest, SaysThatHopsEndedToAHost) {
  const Bytes packet = Udp("10.7.0.2", "10.0.0.1", 100, 1);
  GiveFrame(FromHost(packet));
  const Bytes error = OnlyFrame(kHostMac);
  ASSERT_EQ(error.size(), 28 + packet.size());
  EXPECT_EQ(Bytes(&error[12], &error[20]), (Bytes{10, 7, 0, 1, 10, 7, 0, 2}));
  EXPECT_EQ(error[20], 11);
  EXPECT_TRUE(std::equal(packet.begin(), packet.end(), error.begin() + 28));
  EXPECT_EQ(pair_.client.drops(DropReason::kTtlExpired), 1u);
  EXPECT_EQ(pair_.client.counters().icmp_errors_sent.Get(), 1u);
  EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
}

TEST_F(LanPortTest, SaysThatHopsEndedToAPeer) {
  GiveFromHub(Udp("10.0.0.1", "10.7.0.2", 100, 1));
  const std::vector<Bytes> got = pair_.hub.TakeFromTunnel();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(Bytes(&got[0][12], &got[0][20]), (Bytes{10, 0, 0, 2, 10, 0, 0, 1}));
  EXPECT_EQ(got[0][20], 11);
  EXPECT_EQ(pair_.client.drops(DropReason::kTtlExpired), 1u);
  EXPECT_TRUE(lan_.sent.empty());
}

TEST_F(LanPortTest, ErrorsAreBounded) {
  for (int i = 0; i < 300; ++i) {
    lan_.Give(TestPool(), FromHost(Udp("10.7.0.2", "10.0.0.1", 100, 1)));
  }
  pair_.Settle();
  EXPECT_EQ(pair_.client.drops(DropReason::kTtlExpired), 300u);
  EXPECT_NEAR(static_cast<double>(lan_.sent.size()), 100, 2);
}

TEST_F(LanPortTest, AHostLearnsTheMtu) {
  Bytes packet = Udp("10.7.0.2", "10.0.0.1", 1410);
  packet[6] = 0x40;
  SetTtl(packet, 64);
  GiveFrame(FromHost(packet));
  const Bytes error = OnlyFrame(kHostMac);
  EXPECT_EQ(error[20], 3);
  EXPECT_EQ(error[21], 4);
  EXPECT_EQ(wire::LoadBe16(&error[26]), GatewayPair::kInnerMtu);
  EXPECT_EQ(pair_.client.drops(DropReason::kInnerTooBig), 1u);
}

TEST_F(LanPortTest, APeerLearnsTheMtuOfTheLan) {
  Bytes packet = Udp("10.0.0.1", "10.7.0.2", 1301);
  packet[6] = 0x40;
  SetTtl(packet, 64);
  GiveFromHub(packet);
  const std::vector<Bytes> got = pair_.hub.TakeFromTunnel();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0][21], 4);
  EXPECT_EQ(wire::LoadBe16(&got[0][26]), 1300);
  EXPECT_EQ(pair_.client.drops(DropReason::kInnerTooBig), 1u);
}

TEST_F(LanPortTest, APacketThatMayBeCutIsCut) {
  InnerSpec spec;
  spec.udp = true;
  spec.dont_fragment = false;
  spec.payload = 1460;
  Bytes packet = MakeInner(spec);
  const Bytes whole = packet;
  Unfinish(packet, 20, true);
  packet[15] = 2;
  packet[13] = 7;  // from 10.7.0.2: the sums do not matter here
  SetTtl(packet, 64);
  GiveFrame(FromHost(packet), RTE_MBUF_F_RX_L4_CKSUM_NONE);
  const std::vector<Bytes> got = pair_.hub.TakeFromTunnel();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0][8], 63);
  EXPECT_EQ(wire::LoadBe16(&got[0][6]), 0x2000);
  EXPECT_EQ(wire::LoadBe16(&got[1][6]) * 8u, got[0].size() - 20);
  Bytes payload(got[0].begin() + 28, got[0].end());
  payload.insert(payload.end(), got[1].begin() + 20, got[1].end());
  EXPECT_EQ(payload, Bytes(whole.begin() + 28, whole.end()));
  // The checksum was completed before.
  EXPECT_EQ(Bytes(&got[0][26], &got[0][28]), Bytes(&whole[26], &whole[28]));
  EXPECT_EQ(pair_.client.total_drops(), 0u);
}

TEST_F(LanPortTest, AsksForAHostThatIsNotKnownOnce) {
  for (int i = 0; i < 3; ++i) GiveFromHub(Udp("10.0.0.1", "10.7.0.9", 100));
  EXPECT_EQ(pair_.client.drops(DropReason::kNoNeighbour), 3u);
  ASSERT_EQ(pair_.client.events.size(), 1u);
  EXPECT_EQ(pair_.client.events[0].kind, EventKind::kNoNeighbour);
  EXPECT_EQ(pair_.client.events[0].remote.address, Ip("10.7.0.9"));
}

TEST_F(LanPortTest, APortThatTakesNothingIsCounted) {
  lan_.room = 0;
  GiveFromHub(Udp("10.0.0.1", "10.7.0.2", 100));
  EXPECT_EQ(pair_.client.drops(DropReason::kLanFull), 1u);
}

TEST_F(LanPortTest, WhatIsNoPacketIsDropped) {
  GiveFrame(FromHost(Bytes(50, 0x11)));
  Bytes cut = FromHost(Udp("10.7.0.2", "10.0.0.1", 100));
  cut.resize(cut.size() - 1);
  GiveFrame(cut);
  GiveFrame(Bytes(16, 1));
  EXPECT_EQ(pair_.client.drops(DropReason::kBadInner), 3u);
}

// TCP between 10.7.0.2 and 10.0.0.1 in `payload` bytes and more than a packet.
Bytes SuperTcp(const std::string& from, const std::string& to, size_t payload) {
  InnerSpec spec;
  spec.payload = payload;
  spec.flags = 0x18;
  Bytes super = MakeInner(spec);
  const IpAddress source = Ip(from);
  const IpAddress destination = Ip(to);
  std::copy_n(source.bytes.begin(), 4, super.begin() + 12);
  std::copy_n(destination.bytes.begin(), 4, super.begin() + 16);
  SetTtl(super, 64);
  Unfinish(super, 20, false);
  return super;
}

TEST_F(LanPortTest, SuperFramesComeWhole) {
  Bytes super = SuperTcp("10.7.0.2", "10.0.0.1", 20'000);
  lan_.GiveSuper(TestJumboPool(), FromHost(super), 20, false, 1348);
  pair_.Settle();
  SetTtl(super, 63);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), SlowSegments(super, 20, false, 1348));
  EXPECT_EQ(pair_.client.counters().lan_rx_super.Get(), 1u);
  EXPECT_EQ(pair_.client.counters().lan_rx_packets.Get(), 15u);
}

TEST_F(LanPortTest, SuperFramesLeaveWhole) {
  Bytes super = SuperTcp("10.0.0.1", "10.7.0.2", 5000);
  for (const Bytes& one : SlowSegments(super, 20, false, 1200)) {
    ASSERT_TRUE(pair_.hub.GiveToTunnel(one));
  }
  pair_.Settle();
  ASSERT_EQ(lan_.sent.size(), 1u);
  const FakeTunnel::Sent& sent = lan_.sent[0];
  EXPECT_TRUE(sent.is_super());
  EXPECT_EQ(sent.segment_size, 1200u);
  EXPECT_NE(sent.flags & RTE_MBUF_F_TX_IPV4, 0u);
  const Bytes packet(sent.bytes.begin() + kLink, sent.bytes.end());
  SetTtl(super, 63);
  EXPECT_EQ(SlowSegments(packet, 20, false, 1200),
            SlowSegments(super, 20, false, 1200));
  EXPECT_EQ(pair_.client.counters().lan_tx_super.Get(), 1u);
}

TEST_F(LanTwinTest, GetsWhatIsTheKernels) {
  const Bytes arp = Framed(kOurMac, kHostMac, 0x0806, Bytes(46, 1));
  const Bytes own = FromHost(Udp("10.7.0.2", "10.7.0.1", 100));
  const Bytes elsewhere = FromHost(Udp("10.7.0.2", "192.0.2.1", 100));
  const Bytes others =
      Framed(kHostMac, kHostMac, 0x0800, Udp("10.7.0.2", "10.0.0.1", 100));
  const Bytes runt(17, 2);
  for (const Bytes& frame : {arp, own, elsewhere, others, runt}) {
    GiveFrame(frame);
    ASSERT_EQ(twin_.sent.size(), 1u);
    EXPECT_EQ(twin_.sent[0].bytes, frame);
    twin_.sent.clear();
  }
  EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
  GiveFrame(FromHost(Udp("10.7.0.2", "10.0.0.1", 100)));
  EXPECT_TRUE(twin_.sent.empty());
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  EXPECT_EQ(pair_.client.counters().lan_twin_frames.Get(), 5u);
}

TEST_F(LanTwinTest, SendsByThePort) {
  const Bytes arp = Framed(kHostMac, kOurMac, 0x0806, Bytes(46, 1));
  twin_.Give(TestPool(), arp);
  pair_.Settle();
  ASSERT_EQ(lan_.sent.size(), 1u);
  EXPECT_EQ(lan_.sent[0].bytes, arp);
  EXPECT_EQ(pair_.client.counters().lan_twin_frames.Get(), 1u);
}

}  // namespace
}  // namespace lwt::testing
