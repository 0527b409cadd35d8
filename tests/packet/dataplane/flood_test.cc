// Multicast and broadcasts, where the gateway copies them to every peer.
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "dataplane/stages/flood_queue.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr uint64_t kSecondInUs = 1'000'000;
constexpr char kMdns[] = "224.0.0.251";
constexpr char kHub6[] = "fd00::1";

WorkerOptions Flooding() {
  WorkerOptions options = SmallWorker();
  options.floods = true;
  return options;
}

// What control tells a hub of two clients.
std::unique_ptr<Snapshot> TwoClients() {
  auto snapshot = OnePeer({"10.0.0.2/32", "fd00::2/128"});
  SnapshotPeer other;
  other.SetLane({0}, {1});
  other.inner_mtu = GatewayPair::kInnerMtu;
  snapshot->peers.push_back(other);
  snapshot->peers.emplace_back();  // one without a lane
  snapshot->broadcasts = {{10, 0, 0, 255}};
  snapshot->forward_between_peers = true;
  return snapshot;
}

class FloodTest : public ::testing::Test {
 protected:
  FloodTest() {
    pair_.hub.mailbox().Publish(TwoClients());
    pair_.Establish();
    pair_.Join(1);
  }

  // What the first client's device gets for that which the hub's gave.
  std::vector<Bytes> FromHub(const Bytes& packet) {
    EXPECT_TRUE(pair_.hub.GiveToTunnel(packet));
    pair_.Settle();
    return pair_.client.TakeFromTunnel();
  }
  uint64_t copies() { return pair_.hub.counters().multicast_copies.Get(); }

  GatewayPair pair_{Flooding()};
};

TEST_F(FloodTest, MulticastReachesEachPeerOnce) {
  const Bytes packet = InnerUdp4(kHub, kMdns, 200);
  EXPECT_EQ(FromHub(packet), std::vector<Bytes>{packet});
  EXPECT_EQ(copies(), 2u);
  const Bytes packet6 = InnerUdp6("fd00::1", "ff02::fb", 200);
  EXPECT_EQ(FromHub(packet6), std::vector<Bytes>{packet6});
  EXPECT_EQ(copies(), 4u);
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

TEST_F(FloodTest, SoDoTheBroadcasts) {
  EXPECT_EQ(FromHub(InnerUdp4(kHub, "255.255.255.255", 100)).size(), 1u);
  EXPECT_EQ(FromHub(InnerUdp4(kHub, "10.0.0.255", 100)).size(), 1u);
  EXPECT_EQ(copies(), 4u);
}

TEST_F(FloodTest, AClientsReachesTheHubsHostAndTheOthers) {
  const Bytes packet = InnerUdp4(kClient, kMdns, 200);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
  EXPECT_EQ(copies(), 1u) << "none back to where it came from";
}

TEST_F(FloodTest, WhoIsIsolatedIsHeardByTheHubsHostAlone) {
  const auto isolate = [this](size_t peer) {
    auto snapshot = TwoClients();
    snapshot->peers[peer].isolated = true;
    pair_.hub.mailbox().Publish(std::move(snapshot));
  };
  const Bytes packet = InnerUdp4(kClient, kMdns, 200);
  for (size_t peer : {0, 1}) {
    isolate(peer);
    ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
    pair_.Settle();
    EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
    EXPECT_EQ(copies(), 0u) << peer;
  }
  FromHub(InnerUdp4(kHub, kMdns, 200));
  EXPECT_EQ(copies(), 2u) << "the hub's own reach all";
}

// Who speaks to a group may do so by an address of the link (RFC 4291 §2.5.6),
// but as a router or neighbour to nobody (RFC 4861).
TEST_F(FloodTest, AnAddressOfTheLinkMaySpeakToGroups) {
  const Bytes packet = InnerUdp6("fe80::2", "ff02::fb", 200);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  Bytes advertisement = InnerUdp6("fe80::2", "ff02::1", 80);
  advertisement[6] = 58;
  advertisement[40] = 134;
  ASSERT_TRUE(pair_.client.GiveToTunnel(advertisement));
  // Nor behind a header of options, where a guard might not look for it.
  Bytes hidden = InnerUdp6("fe80::2", "ff02::1", 88);
  hidden[6] = 60;
  hidden[40] = 58;
  hidden[41] = 0;
  hidden[48] = 134;
  ASSERT_TRUE(pair_.client.GiveToTunnel(hidden));
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp6("fe80::2", kHub6, 200)));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
  EXPECT_EQ(pair_.client.drops(DropReason::kNotRoutable), 2u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kInnerSource), 1u);
}

TEST_F(FloodTest, MembershipOfGroupsStaysOnTheLink) {
  Bytes igmp = InnerUdp4(kHub, "224.0.0.22", 40);
  igmp[9] = 2;
  EXPECT_TRUE(FromHub(igmp).empty());
  EXPECT_EQ(pair_.hub.drops(DropReason::kNotRoutable), 1u);
}

TEST_F(FloodTest, ASourceHasItsRate) {
  size_t arrived = 0;
  for (int i = 0; i < 80; ++i) {
    arrived += FromHub(InnerUdp4(kHub, kMdns, 100)).size();
  }
  EXPECT_EQ(arrived, FloodQueue::kPacketsAtOnce);
  EXPECT_EQ(pair_.hub.drops(DropReason::kMulticastLimit), 30u);
  pair_.Advance(kSecondInUs / 10);
  EXPECT_EQ(FromHub(InnerUdp4(kHub, kMdns, 100)).size(), 1u);
}

TEST(FloodOffTest, IsTheDefault) {
  GatewayPair pair;
  pair.Establish();
  ASSERT_TRUE(pair.hub.GiveToTunnel(InnerUdp4(kHub, kMdns, 200)));
  pair.Settle();
  EXPECT_TRUE(pair.client.TakeFromTunnel().empty());
  EXPECT_EQ(pair.hub.drops(DropReason::kNotRoutable), 1u);
}

class FloodQueueTest : public ::testing::Test {
 protected:
  ~FloodQueueTest() override {
    while (!queue_.empty()) rte_pktmbuf_free(queue_.Pop());
    EXPECT_EQ(rte_mempool_in_use_count(TestPool()), in_use_);
  }
  // False where one of that source is given up for it.
  bool Push(uint32_t source) {
    rte_mbuf* const packet = rte_pktmbuf_alloc(TestPool());
    rte_mbuf* const given_up =
        queue_.Push({.packet = packet, .source = {source}});
    rte_pktmbuf_free(given_up);
    return given_up != packet;
  }

  const unsigned in_use_ = rte_mempool_in_use_count(TestPool());
  FloodQueue queue_{100};
};

TEST_F(FloodQueueTest, ASourceHasSoManyWaiting) {
  for (size_t i = 0; i < FloodQueue::kMostOfSource; ++i) {
    EXPECT_TRUE(Push(1));
  }
  EXPECT_FALSE(Push(1));
  EXPECT_TRUE(Push(2));
}

TEST_F(FloodQueueTest, WhoHasMostGivesWayToWhoHasFewer) {
  const size_t sources = FloodQueue::kCapacity / FloodQueue::kMostOfSource;
  for (uint32_t source = 0; source < sources; ++source) {
    for (size_t i = 0; i < FloodQueue::kMostOfSource; ++i) {
      EXPECT_TRUE(Push(source));
    }
  }
  // However many there are, a new one has a place, until all have the same.
  for (uint32_t source = 50; source < 74; ++source) EXPECT_TRUE(Push(source));
  EXPECT_FALSE(Push(80));
}

TEST_F(FloodQueueTest, SourcesTakeTurns) {
  for (uint32_t source : {3u, 3u, 7u}) EXPECT_TRUE(Push(source));
  std::vector<uint32_t> turns;
  for (uint32_t i = 0; i < 4 * FloodQueue::kCopiesInTurn; ++i) {
    if (i % FloodQueue::kCopiesInTurn == 0) {
      turns.push_back(queue_.front().source.value);
    }
    queue_.NextTurn();
  }
  EXPECT_EQ(turns, (std::vector<uint32_t>{3, 3, 7, 3}));
}

TEST_F(FloodQueueTest, AllTogetherHaveTheirRateOfCopies) {
  uint64_t copies = 0;
  for (uint64_t us = 0; us < kSecondInUs; us += 10) {
    copies += queue_.MayCopy(kSecondInUs + us) ? 1 : 0;
  }
  EXPECT_LE(copies, FloodQueue::kCopiesPerSecond + FloodQueue::kCopiesAtOnce);
  EXPECT_GE(copies, FloodQueue::kCopiesPerSecond);
}

}  // namespace
}  // namespace lwt::testing
