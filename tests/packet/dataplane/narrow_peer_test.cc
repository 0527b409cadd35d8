// A peer whose way takes less than packets are long, and one that is not there:
// nothing that may be sent is lost without a word to who sent it.
#include <algorithm>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "tests/packet/dataplane/fake_tunnel.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::testing {
namespace {

constexpr uint16_t kNarrow = 1000;
constexpr char kOther[] = "10.0.0.3";
constexpr char kOther6[] = "fd00::3";

bool IsIcmp(const Bytes& packet, uint8_t type, uint8_t code) {
  const bool ipv4 = packet[0] >> 4 == 4;
  const size_t at = ipv4 ? 20 : 40;
  return packet[ipv4 ? 9 : 6] == (ipv4 ? 1 : 58) && packet[at] == type &&
         packet[at + 1] == code;
}
uint32_t MtuIn(const Bytes& packet) {
  return packet[0] >> 4 == 4 ? wire::LoadBe16(&packet[26])
                             : wire::LoadBe32(&packet[44]);
}
// Whom an ICMP error is from, whom for, and that it quotes `about`.
void ExpectAbout(const Bytes& error, const Bytes& about, const char* from,
                 const char* to) {
  const auto inner = wire::ParseInner(error);
  ASSERT_TRUE(inner);
  EXPECT_EQ(IpAddress::FromBytes(inner->family, inner->source),
            *ParseIpAddress(from));
  EXPECT_EQ(IpAddress::FromBytes(inner->family, inner->destination),
            *ParseIpAddress(to));
  const size_t at = inner->family == Family::kIpv4 ? 28 : 48;
  EXPECT_TRUE(std::equal(error.begin() + static_cast<ptrdiff_t>(at),
                         error.end(), about.begin()));
}

Bytes WithDf(Bytes packet) {
  packet[6] |= 0x40;
  return packet;
}

// The two nodes as hub and client; the hub knows a second client, peer 1, that
// has lane 1, which ends at the same node.
class NarrowPeerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Publish([](Snapshot&) {});
    pair_.Establish();
    pair_.Join(1);
  }
  template <typename Change>
  void Publish(const Change& change) {
    auto client = OnePeer({"10.0.0.0/24", "fd00::/64"}, client_mtu_);
    client->own_addresses = {*ParseIpPrefix("10.0.0.2/24"),
                             *ParseIpPrefix("fd00::2/64")};
    pair_.client.mailbox().Publish(std::move(client));
    auto hub = OnePeer({"10.0.0.2/32"});
    hub->forward_between_peers = true;
    hub->broadcasts = {{10, 0, 0, 255}};
    hub->own_addresses = {*ParseIpPrefix("10.0.0.1/24"),
                          *ParseIpPrefix("fd00::1/64")};
    hub->routes =
        RouteTable({{*ParseIpPrefix("10.0.0.0/24"), RouteTable::kAbsent},
                    {*ParseIpPrefix("fd00::/64"), RouteTable::kAbsent},
                    {*ParseIpPrefix("10.0.0.1/32"), PeerIndex::kNone},
                    {*ParseIpPrefix("fd00::1/128"), PeerIndex::kNone},
                    {*ParseIpPrefix("10.0.0.2/32"), {0}},
                    {*ParseIpPrefix("fd00::2/128"), {0}},
                    {*ParseIpPrefix("10.0.0.3/32"), {1}},
                    {*ParseIpPrefix("fd00::3/128"), {1}}});
    SnapshotPeer other;
    other.SetLane({0}, {1});
    other.inner_mtu = kNarrow;
    hub->peers.push_back(other);
    change(*hub);
    pair_.hub.mailbox().Publish(std::move(hub));
  }
  // What came out of the client's own device, of what it sent.
  std::vector<Bytes> FromClient(const Bytes& packet) {
    EXPECT_TRUE(pair_.client.GiveToTunnel(packet));
    pair_.Settle();
    return pair_.client.TakeFromTunnel();
  }
  std::vector<Bytes> FromHubsHost(const Bytes& packet) {
    EXPECT_TRUE(pair_.hub.GiveToTunnel(packet));
    pair_.Settle();
    return pair_.hub.TakeFromTunnel();
  }
  Bytes Only(const std::vector<Bytes>& packets) {
    EXPECT_EQ(packets.size(), 1u);
    return packets.empty() ? Bytes(60) : packets.front();
  }

  uint16_t client_mtu_ = GatewayPair::kInnerMtu;
  GatewayPair pair_;
};

// Between clients of different MTU a packet vanished.
TEST_F(NarrowPeerTest, AClientIsToldByTheHubThatAnothersWayIsNarrow) {
  const Bytes packet = WithDf(InnerUdp4(kClient, kOther, 1350, 9));
  const Bytes error = Only(FromClient(packet));
  EXPECT_TRUE(IsIcmp(error, 3, 4));
  EXPECT_EQ(MtuIn(error), kNarrow);
  ExpectAbout(error, packet, kHub, kClient);
  EXPECT_EQ(pair_.hub.drops(DropReason::kInnerTooBig), 1u);
  EXPECT_EQ(pair_.hub.counters().icmp_errors_sent.Get(), 1u);
}

// No host of IPv6 goes below 1280: what is not larger goes, in parts.
TEST_F(NarrowPeerTest, IPv6IsToldNoLessThan1280) {
  const Bytes packet = InnerUdp6("fd00::2", kOther6, 1350, 9);
  const Bytes error = Only(FromClient(packet));
  EXPECT_TRUE(IsIcmp(error, 2, 0));
  EXPECT_EQ(MtuIn(error), 1280u);
  ExpectAbout(error, packet, "fd00::1", "fd00::2");
  const uint64_t before = pair_.hub.counters().forwarded_packets.Get();
  FromClient(InnerUdp6("fd00::2", kOther6, 1280));
  EXPECT_EQ(pair_.hub.counters().forwarded_packets.Get(), before + 1);
}

TEST_F(NarrowPeerTest, TheHostIsToldByItsOwnDevice) {
  const Bytes packet = WithDf(InnerUdp4(kHub, kOther, 1350, 9));
  const Bytes error = Only(FromHubsHost(packet));
  EXPECT_TRUE(IsIcmp(error, 3, 4));
  EXPECT_EQ(MtuIn(error), kNarrow);
  // A kernel takes nothing from an address of its own.
  ExpectAbout(error, packet, kOther, kHub);
  const Bytes packet6 = InnerUdp6("fd00::1", kOther6, 1400, 9);
  const Bytes error6 = Only(FromHubsHost(packet6));
  EXPECT_TRUE(IsIcmp(error6, 2, 0));
  ExpectAbout(error6, packet6, kOther6, "fd00::1");
}

// It goes to the device no more than to the other client: with forwarding on,
// the kernel would carry it back into the tunnel.
TEST_F(NarrowPeerTest, WhoIsIsolatedReachesNoOtherClient) {
  const Bytes packet = InnerUdp4(kClient, kOther, 100);
  FromClient(packet);
  ASSERT_EQ(pair_.hub.counters().forwarded_packets.Get(), 1u) << "the control";
  uint64_t drops = 0;
  for (size_t peer : {0, 1}) {
    Publish([peer](Snapshot& hub) { hub.peers[peer].isolated = true; });
    const Bytes error = Only(FromClient(packet));
    EXPECT_TRUE(IsIcmp(error, 3, 13)) << peer;
    ExpectAbout(error, packet, kHub, kClient);
    const Bytes packet6 = InnerUdp6("fd00::2", kOther6, 100);
    const Bytes error6 = Only(FromClient(packet6));
    EXPECT_TRUE(IsIcmp(error6, 1, 1)) << peer;
    ExpectAbout(error6, packet6, "fd00::1", "fd00::2");
    drops += 2;
    EXPECT_EQ(pair_.hub.drops(DropReason::kIsolated), drops);
    EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
  }
  EXPECT_EQ(pair_.hub.counters().forwarded_packets.Get(), 1u);
}

// Nor does it learn which of them are there.
TEST_F(NarrowPeerTest, WhoIsIsolatedIsToldTheSameOfWhoIsNotThere) {
  Publish([](Snapshot& hub) { hub.peers[0].isolated = true; });
  EXPECT_TRUE(
      IsIcmp(Only(FromClient(InnerUdp4(kClient, "10.0.0.9", 100))), 3, 13));
  EXPECT_EQ(pair_.hub.drops(DropReason::kIsolated), 1u);
}

TEST_F(NarrowPeerTest, WhoIsIsolatedReachesTheHubAndIsReachedByIt) {
  Publish([](Snapshot& hub) {
    for (SnapshotPeer& peer : hub.peers) peer.isolated = true;
  });
  const Bytes packet = InnerUdp4(kClient, kHub, 100);
  FromClient(packet);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
  const Bytes back = InnerUdp4(kHub, kClient, 100);
  EXPECT_TRUE(FromHubsHost(back).empty());
  EXPECT_EQ(pair_.client.TakeFromTunnel(), std::vector<Bytes>{back});
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

TEST_F(NarrowPeerTest, WhatMayBeCutIsCut) {
  client_mtu_ = kNarrow;
  Publish([](Snapshot&) {});
  Bytes packet = InnerUdp4(kClient, kHub, 1400, 9);
  wire::StoreBe16(&packet[4], 77);  // the IP ID
  EXPECT_TRUE(FromClient(packet).empty());
  const auto pieces = pair_.hub.TakeFromTunnel();
  ASSERT_EQ(pieces.size(), 2u);
  Bytes payload;
  for (const Bytes& piece : pieces) {
    EXPECT_LE(piece.size(), kNarrow);
    EXPECT_EQ(wire::LoadBe16(&piece[4]), 77);
    EXPECT_EQ(wire::LoadBe16(&piece[6]) & 0x1fff, payload.size() / 8);
    EXPECT_EQ((piece[6] & 0x20) != 0, &piece == &pieces[0]);
    payload.insert(payload.end(), piece.begin() + 20, piece.end());
  }
  EXPECT_EQ(payload, Bytes(packet.begin() + 20, packet.end()));
  EXPECT_EQ(pair_.client.counters().packets_cut.Get(), 1u);
  EXPECT_EQ(pair_.client.total_drops(), 0u);
}

// Options are not in every fragment, so such a packet leaves whole, in parts of
// its record.
TEST_F(NarrowPeerTest, WhatHasOptionsIsNotLost) {
  client_mtu_ = kNarrow;
  Publish([](Snapshot&) {});
  Bytes packet = InnerUdp4(kClient, kHub, 1400, 9);
  packet[0] = 0x46;
  std::fill_n(packet.begin() + 20, 4, 1);  // no operation
  EXPECT_TRUE(FromClient(packet).empty());
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
}

TEST_F(NarrowPeerTest, WhatIsForwardedAndMayBeCutIsCut) {
  EXPECT_TRUE(FromClient(InnerUdp4(kClient, kOther, 1400)).empty() ||
              pair_.hub.counters().packets_cut.Get() == 1);
  EXPECT_EQ(pair_.hub.counters().packets_cut.Get(), 1u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kInnerTooBig), 0u);
}

TEST_F(NarrowPeerTest, TheMssOfASynIsLowered) {
  client_mtu_ = kNarrow;
  Publish([](Snapshot&) {});
  for (const bool ipv6 : {false, true}) {
    const size_t l4 = ipv6 ? 40 : 20;
    Bytes syn = MakeInner({.family = ipv6 ? Family::kIpv6 : Family::kIpv4,
                           .flags = 2,
                           .payload = 0});
    Unfinish(syn, l4, /*udp=*/false);
    const uint8_t option[] = {2, 4, 1460 >> 8, 1460 & 0xff, 1, 1, 1, 1};
    std::copy(std::begin(option), std::end(option), &syn[l4 + 20]);
    Finish(syn, l4, /*udp=*/false);
    EXPECT_TRUE(FromClient(syn).empty());
    const Bytes came = Only(pair_.hub.TakeFromTunnel());
    ASSERT_EQ(came.size(), syn.size());
    EXPECT_EQ(wire::LoadBe16(&came[l4 + 22]), ipv6 ? 1220 : kNarrow - 40);
    EXPECT_TRUE(HasRightChecksums(came, l4, /*udp=*/false));
  }
  EXPECT_EQ(pair_.client.counters().mss_clamped.Get(), 2u);
}

TEST_F(NarrowPeerTest, WhoIsAbsentIsUnreachable) {
  const Bytes packet = InnerUdp4(kClient, "10.0.0.77", 84, 9);
  const Bytes error = Only(FromClient(packet));
  EXPECT_TRUE(IsIcmp(error, 3, 1));
  ExpectAbout(error, packet, kHub, kClient);
  const Bytes packet6 = InnerUdp6("fd00::2", "fd00::77", 84, 9);
  const Bytes error6 = Only(FromClient(packet6));
  EXPECT_TRUE(IsIcmp(error6, 1, 3));
  ExpectAbout(error6, packet6, "fd00::1", "fd00::2");
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoRoute), 2u);
  // And to the hub's own host.
  const Bytes own = InnerUdp4(kHub, "10.0.0.77", 84, 9);
  const Bytes told = Only(FromHubsHost(own));
  EXPECT_TRUE(IsIcmp(told, 3, 1));
  ExpectAbout(told, own, "10.0.0.77", kHub);
}

// Of an 84-byte ping it was said that it is larger than the MTU.
TEST_F(NarrowPeerTest, WhoHasNoLaneIsUnreachable) {
  Publish([](Snapshot& hub) { hub.peers[1] = SnapshotPeer(); });
  EXPECT_TRUE(IsIcmp(Only(FromClient(InnerUdp4(kClient, kOther, 84))), 3, 1));
  EXPECT_TRUE(IsIcmp(Only(FromHubsHost(InnerUdp4(kHub, kOther, 84))), 3, 1));
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoLane), 2u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kInnerTooBig), 0u);
}

TEST_F(NarrowPeerTest, NobodyIsToldOfABroadcastOrAnError) {
  const Bytes broadcast = InnerUdp4(kHub, "10.0.0.255", 84);
  EXPECT_TRUE(FromHubsHost(broadcast).empty());
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoRoute), 1u);
  // A client's goes to the kernel, as before.
  EXPECT_TRUE(FromClient(InnerUdp4(kClient, "10.0.0.255", 84)).empty());
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 1u);
  Bytes error = InnerUdp4(kHub, "10.0.0.77", 84);
  error[9] = 1;
  error[20] = 3;
  EXPECT_TRUE(FromHubsHost(error).empty());
  EXPECT_EQ(pair_.hub.counters().icmp_errors_sent.Get(), 0u);
}

// A flood is answered as seldom as a kernel answers one, and what one peer has
// used up is nobody else's.
TEST_F(NarrowPeerTest, ErrorsAreBounded) {
  for (int i = 0; i < 200; ++i) {
    FromClient(InnerUdp4(kClient, "10.0.0.77", 84));
  }
  const uint64_t told = pair_.hub.counters().icmp_errors_sent.Get();
  EXPECT_GE(told, 3u);
  EXPECT_LE(told, 10u);
  EXPECT_TRUE(
      IsIcmp(Only(FromHubsHost(InnerUdp4(kHub, "10.0.0.77", 84))), 3, 1));
  pair_.Advance(1'000'000);
  EXPECT_TRUE(
      IsIcmp(Only(FromClient(InnerUdp4(kClient, "10.0.0.77", 84))), 3, 1));
}

}  // namespace
}  // namespace lwt::testing
