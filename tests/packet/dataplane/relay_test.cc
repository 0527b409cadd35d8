// A client whose hub, peer 0, is the relay of another client, peer 1: which of
// its two ways a packet takes, and who may bring one.
#include <gtest/gtest.h>

#include "dataplane/exchange/handoff.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr char kFriend[] = "10.0.0.3";
constexpr char kThird[] = "10.0.0.4";

// What a client publishes: all leads to the hub but two that it knows itself.
// Neither has a lane.
std::unique_ptr<Snapshot> OfClient() {
  auto snapshot = OnePeer({"10.0.0.0/24"});
  snapshot->routes = RouteTable({{*ParseIpPrefix("10.0.0.0/24"), {0}},
                                 {*ParseIpPrefix("10.0.0.3/32"), {1}},
                                 {*ParseIpPrefix("10.0.0.4/32"), {2}}});
  snapshot->peers[0].may_relay = true;
  snapshot->peers.resize(3);
  for (uint32_t peer : {1u, 2u}) snapshot->peers[peer].inner_mtu = 1300;
  return snapshot;
}

class RelayTest : public ::testing::Test {
 protected:
  // Of the pair, the one called client is looked at; the one called hub has
  // addresses for all peers, and lets through what they send.
  void SetUp() override { Use(pair_); }

  void Use(GatewayPair& pair) {
    pair.Establish();
    auto all = OnePeer({"10.0.0.0/24"});
    pair.hub.mailbox().Publish(std::move(all));
  }
  template <typename Change>
  void Publish(const Change& change) {
    auto snapshot = OfClient();
    change(*snapshot);
    pair_.client.mailbox().Publish(std::move(snapshot));
  }
  // Sends a packet to `address`; what came out at the hub.
  size_t SendTo(const char* address, size_t size = 100) {
    EXPECT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, address, size)));
    pair_.Settle();
    pair_.client.TakeFromTunnel();  // what its host is told
    return pair_.hub.TakeFromTunnel().size();
  }
  // Brings a packet from `source` by the hub's lane; what the client took.
  size_t ComeFrom(const char* source) {
    EXPECT_TRUE(pair_.hub.GiveToTunnel(InnerUdp4(source, kClient, 100)));
    pair_.Settle();
    return pair_.client.TakeFromTunnel().size();
  }
  uint64_t drops(DropReason reason) { return pair_.client.drops(reason); }

  GatewayPair pair_;
};

TEST_F(RelayTest, APeerWithoutALaneIsReachedThroughItsRelay) {
  Publish([](Snapshot&) {});
  EXPECT_EQ(SendTo(kFriend), 0u) << "it has no relay";
  EXPECT_EQ(drops(DropReason::kNoLane), 1u);
  Publish([](Snapshot& snapshot) { snapshot.peers[1].relay = {0}; });
  EXPECT_EQ(SendTo(kFriend), 1u);
  EXPECT_EQ(SendTo(kThird), 0u) << "that one still has none";
  EXPECT_EQ(drops(DropReason::kNoLane), 2u);
}

TEST_F(RelayTest, TheWayThatIsTakenSaysHowLongAPacketMayBe) {
  // Of its own way 1300 were the most; the hub's takes 1409.
  Publish([](Snapshot& snapshot) { snapshot.peers[1].relay = {0}; });
  EXPECT_EQ(SendTo(kFriend, GatewayPair::kInnerMtu), 1u);
  Publish([](Snapshot& snapshot) {
    snapshot.peers[1].relay = {0};
    snapshot.peers[0].inner_mtu = 1000;
  });
  EXPECT_EQ(SendTo(kFriend, 1200), 2u) << "it is cut";
}

TEST_F(RelayTest, ItsPacketsComeByEitherWay) {
  // By the hub while it has a lane of its own: lane 1 of this client, which
  // the other gateway of the pair is at the far end of too.
  pair_.Join(1);
  Publish([](Snapshot& snapshot) {
    snapshot.peers[1].relay = {0};
    snapshot.peers[1].SetLane({0}, {1});
  });
  EXPECT_EQ(ComeFrom(kFriend), 1u);
  // By that lane, to which the hub of the pair now sends.
  auto direct = OnePeer({"10.0.0.0/24"});
  direct->peers[0].SetLane({0}, {1});
  pair_.hub.mailbox().Publish(std::move(direct));
  EXPECT_EQ(ComeFrom(kFriend), 1u);
  EXPECT_EQ(pair_.client.counters().records_opened.Get(), 2u);
  EXPECT_EQ(pair_.client.total_drops(), 0u);
  // A direct peer vouches for itself alone, and is nobody's relay.
  EXPECT_EQ(ComeFrom(kHub), 0u);
  EXPECT_EQ(ComeFrom(kThird), 0u);
  EXPECT_EQ(drops(DropReason::kInnerSource), 2u);
}

TEST_F(RelayTest, ItsOwnLaneIsTakenOnceThereIsOne) {
  pair_.Join(1);
  Publish([](Snapshot& snapshot) {
    snapshot.peers[1].relay = {0};
    snapshot.peers[1].SetLane({0}, {1});
  });
  pair_.hub.mailbox().Publish(OnePeer({"10.0.0.2/32"}));
  const auto sealed = [&](uint32_t lane) {
    return pair_.client.worker().lane_counters[lane].records_sealed.Get();
  };
  const uint64_t before[] = {sealed(0), sealed(1)};
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kFriend, 100)));
  pair_.Settle();
  EXPECT_EQ(sealed(0), before[0]);
  EXPECT_EQ(sealed(1), before[1] + 1);
}

TEST_F(RelayTest, NobodyIsVouchedForWhoNamesAnotherRelayOrNone) {
  Publish([](Snapshot& snapshot) {
    snapshot.peers[1].relay = {2};
    snapshot.peers[2].may_relay = true;
  });
  EXPECT_EQ(ComeFrom(kFriend), 0u) << "its relay is another";
  EXPECT_EQ(ComeFrom(kThird), 0u) << "it has none";
  EXPECT_EQ(drops(DropReason::kInnerSource), 2u);
}

TEST_F(RelayTest, WhoIsNoHubIsNoRelay) {
  Publish([](Snapshot& snapshot) {
    snapshot.peers[0].may_relay = false;
    snapshot.peers[1].relay = {0};
  });
  EXPECT_EQ(SendTo(kFriend), 0u);
  EXPECT_EQ(drops(DropReason::kNoLane), 1u);
  EXPECT_EQ(ComeFrom(kFriend), 0u);
  EXPECT_EQ(drops(DropReason::kInnerSource), 1u);
}

// Peer 1's relay is peer 2, whose own is the hub.
TEST_F(RelayTest, ARelayIsNotReachedThroughARelay) {
  Publish([](Snapshot& snapshot) {
    snapshot.peers[1].relay = {2};
    snapshot.peers[2].relay = {0};
    snapshot.peers[2].may_relay = true;
  });
  EXPECT_EQ(SendTo(kFriend), 0u);
  EXPECT_EQ(drops(DropReason::kNoLane), 1u);
  EXPECT_EQ(ComeFrom(kFriend), 0u) << "the hub is not the relay of peer 1";
  EXPECT_EQ(drops(DropReason::kInnerSource), 1u);
  EXPECT_EQ(SendTo(kThird), 1u);
  EXPECT_EQ(ComeFrom(kThird), 1u);
}

// Two hubs, none of which has a lane.
TEST_F(RelayTest, TwoThatNameEachOtherEnd) {
  Publish([](Snapshot& snapshot) {
    snapshot.peers[0].lanes.fill(LaneIndex::kNone);
    snapshot.peers[0].workers = 0;
    snapshot.peers[0].relay = {1};
    snapshot.peers[1].relay = {0};
    snapshot.peers[1].may_relay = true;
  });
  EXPECT_EQ(SendTo(kFriend), 0u);
  EXPECT_EQ(SendTo(kHub), 0u);
  EXPECT_EQ(drops(DropReason::kNoLane), 2u);
  // One with a lane carries both, and brings both.
  Publish([](Snapshot& snapshot) {
    snapshot.peers[0].relay = {1};
    snapshot.peers[1].relay = {0};
    snapshot.peers[1].may_relay = true;
  });
  EXPECT_EQ(SendTo(kFriend), 1u);
  EXPECT_EQ(SendTo(kHub), 1u);
  EXPECT_EQ(ComeFrom(kFriend), 1u);
}

TEST_F(RelayTest, AnIndexBehindTheLastIsNoRelay) {
  Publish([](Snapshot& snapshot) { snapshot.peers[1].relay = {3}; });
  EXPECT_EQ(SendTo(kFriend), 0u);
  EXPECT_EQ(drops(DropReason::kNoLane), 1u);
}

// A hub's snapshot names no relay: nothing else vouches.
TEST_F(RelayTest, OnAHubAnotherClientsAddressIsStillRefused) {
  auto snapshot = OnePeer({"10.0.0.2/32"});
  snapshot->routes = RouteTable({{*ParseIpPrefix("10.0.0.2/32"), {0}},
                                 {*ParseIpPrefix("10.0.0.3/32"), {1}}});
  snapshot->peers.resize(2);
  pair_.hub.mailbox().Publish(std::move(snapshot));
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kFriend, kHub, 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel().size(), 0u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kInnerSource), 1u);
}

// The worker whose lane the relay has is asked for it, and takes the relay's
// relay no more than this one does.
TEST(RelayOfWorkersTest, ARelayedPacketGoesToAWorkerWithALaneToTheRelay) {
  StartTestEal();
  const auto handoff = Handoff::Create("wrelay", 2);
  WorkerOptions first = SmallWorker();
  first.handoff = handoff.get();
  WorkerOptions second = first;
  second.index = {1};
  GatewayPair pair(first, SmallWorker(), RingPorts(), RingPorts());
  Node other("o", second, RingPorts());
  handoff->Attach({0}, &pair.client.mailbox());
  handoff->Attach({1}, &other.mailbox());
  pair.Establish();
  pair.hub.mailbox().Publish(OnePeer({"10.0.0.0/24"}));
  const auto publish = [&](bool hub_has_lane) {
    for (Mailbox* mailbox : {&pair.client.mailbox(), &other.mailbox()}) {
      auto snapshot = OfClient();
      snapshot->peers[1].relay = {0};
      snapshot->peers[2].may_relay = true;
      if (!hub_has_lane) {
        snapshot->peers[0] = SnapshotPeer();
        snapshot->peers[0].inner_mtu = GatewayPair::kInnerMtu;
        snapshot->peers[0].may_relay = true;
        snapshot->peers[0].relay = {2};
        snapshot->peers[2].SetLane({0}, {0});
      }
      mailbox->Publish(std::move(snapshot));
    }
  };
  publish(/*hub_has_lane=*/true);
  ASSERT_TRUE(other.GiveToTunnel(InnerUdp4(kClient, kFriend, 100)));
  other.RunAt(pair.now_us);
  pair.Settle();
  EXPECT_EQ(pair.hub.TakeFromTunnel().size(), 1u);
  // Between the two workers the hub's lane goes, and the hub has a relay.
  ASSERT_TRUE(other.GiveToTunnel(InnerUdp4(kClient, kFriend, 100)));
  other.RunAt(pair.now_us);
  EXPECT_EQ(other.counters().handed_over.Get(), 2u);
  publish(/*hub_has_lane=*/false);
  pair.Settle();
  EXPECT_EQ(pair.hub.TakeFromTunnel().size(), 0u);
  EXPECT_EQ(pair.client.drops(DropReason::kNoLane), 1u);
}

}  // namespace
}  // namespace lwt::testing
