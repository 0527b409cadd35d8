#include "control/session/peer_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

// Keeps the last snapshot, and counts them.
class KeepingLink : public RecordingLink {
 public:
  void Publish(std::unique_ptr<const Snapshot> one) override {
    snapshot = std::move(one);
    ++published;
    commands_before = commands.size();
  }

  std::unique_ptr<const Snapshot> snapshot;
  int published = 0;
  size_t commands_before = 0;  // the last of them
};

class PeerTableTest : public testing::Test {
 protected:
  explicit PeerTableTest(uint32_t workers = 1)
      : host_(net_, At("192.0.2.1:1").address),
        lanes_(4, workers),
        table_(link_, host_, lanes_, 3, workers) {}

  PeerIndex PeerAt(const char* text) const {
    const IpAddress address = *ParseIpAddress(text);
    return {
        inner_.snapshot->routes.Lookup(address.family, address.bytes.data())};
  }

  FakeNet net_;
  FakeHost host_;
  KeepingLink inner_;
  OrderedLink link_{inner_};
  LaneSlots lanes_;
  PeerTable table_;
};

TEST_F(PeerTableTest, OneTurnsChangesAreOneSnapshot) {
  table_.Publish(0);
  EXPECT_EQ(inner_.published, 1) << "the first, with nobody in it";
  const PeerIndex a = *table_.Add({.addresses = {Prefix("10.0.0.2/24")}});
  const PeerIndex b = *table_.Add({.networks = {Prefix("192.168.0.0/16")}});
  table_.SetNetworks(a, {Prefix("10.9.0.0/16")});
  EXPECT_EQ(inner_.published, 1);
  EXPECT_EQ(table_.NextDeadline(), 0u);
  table_.Publish(1);
  table_.Publish(2);
  EXPECT_EQ(inner_.published, 2);
  EXPECT_EQ(table_.NextDeadline(), PeerTable::kNever);
  EXPECT_EQ(table_.connected(), 0u) << "nobody has a session";
  EXPECT_EQ(PeerAt("10.0.0.2"), a);
  EXPECT_EQ(PeerAt("10.0.0.3"), PeerIndex::kNone) << "a host, no network";
  EXPECT_EQ(PeerAt("10.9.7.7"), a);
  EXPECT_EQ(PeerAt("192.168.3.4"), b);
  EXPECT_FALSE(inner_.snapshot->forward_between_peers);
  table_.SetForwarding(true);
  table_.Publish(3);
  EXPECT_TRUE(inner_.snapshot->forward_between_peers);
}

TEST_F(PeerTableTest, AnAddressOfOursIsNoPeers) {
  table_.SetOwn({Prefix("10.0.0.7/24")});
  const PeerIndex peer = *table_.Add({.networks = {Prefix("10.0.0.7/24")}});
  table_.Publish(0);
  EXPECT_EQ(PeerAt("10.0.0.1"), peer);
  EXPECT_EQ(PeerAt("10.0.0.7"), PeerIndex::kNone);
}

// A worker that has the old snapshot would take the new peer's packets for the
// old one's.
TEST_F(PeerTableTest, ANumberIsFreeOnceNoSnapshotHasIt) {
  const PeerIndex a = *table_.Add({.addresses = {Prefix("10.0.0.2/24")}});
  table_.Publish(0);
  table_.Remove(a);
  const PeerIndex b = *table_.Add({.addresses = {Prefix("10.0.0.3/24")}});
  EXPECT_NE(a, b);
  table_.Publish(1);
  EXPECT_EQ(PeerAt("10.0.0.2"), PeerIndex::kNone);
  EXPECT_EQ(*table_.Add({}), a);
}

TEST_F(PeerTableTest, AFullTableMakesRoomByASnapshotOutOfTurn) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(table_.Add({}));
  EXPECT_FALSE(table_.Add({}));
  table_.Remove({1});
  const int before = inner_.published;
  EXPECT_EQ(table_.Add({}), PeerIndex{1});
  EXPECT_EQ(inner_.published, before + 1);
}

TEST_F(PeerTableTest, ALaneIsFreeOnceNoSnapshotHasIt) {
  std::vector<LaneName> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(*table_.TakeLane({0}));
  table_.Publish(0);
  table_.GiveLane(taken[0]);
  const LaneName last = *table_.TakeLane({0});
  EXPECT_NE(last, taken[0]);
  // None is left but the one that leaves.
  const int before = inner_.published;
  EXPECT_TRUE(table_.HasLane({0}));
  EXPECT_EQ(inner_.published, before + 1);
  EXPECT_EQ(table_.TakeLane({0}), taken[0]);
  EXPECT_FALSE(table_.HasLane({0}));
  EXPECT_EQ(inner_.published, before + 1) << "nothing leaves";
}

TEST_F(PeerTableTest, CommandsThatWaitFollowTheSnapshot) {
  table_.Publish(0);
  table_.SendAfter({0}, ConnectCommand{});
  EXPECT_EQ(inner_.commands.size(), 1u) << "nothing was changed";
  table_.Hold(FlowId::Of(1, 1));
  link_.Send(ReinjectCommand{FlowId::Of(1, 1), 0, {1}});
  table_.SendAfter({0}, ConnectCommand{});
  EXPECT_EQ(inner_.commands.size(), 1u);
  table_.Publish(1);
  EXPECT_EQ(inner_.commands.size(), 3u);
  EXPECT_EQ(inner_.commands_before, 1u);
}

TEST_F(PeerTableTest, TheDeviceTakesWhatAllPeersCan) {
  host_.mtu = 99;
  table_.Publish(0);
  EXPECT_EQ(host_.mtu, 0) << "nobody is there";
  host_.mtu = 99;
  const PeerIndex a = *table_.Add({});
  table_.Publish(1);
  EXPECT_EQ(host_.mtu, 99) << "not known yet";
  table_.Change(a).device_mtu = 1400;
  table_.Add({.device_mtu = 1380});
  table_.Publish(2);
  EXPECT_EQ(host_.mtu, 1380);
}

// Nor does what is left of it: its number may be another's afterwards.
TEST_F(PeerTableTest, ARelayThatIsGoneRelaysForNobody) {
  const PeerIndex hub = *table_.Add({.may_relay = true});
  const PeerIndex direct = *table_.Add({.relay = hub});
  table_.Publish(0);
  EXPECT_TRUE(inner_.snapshot->MayBring(hub, direct));
  EXPECT_FALSE(inner_.snapshot->MayBring(direct, hub));
  table_.Remove(hub);
  table_.Publish(1);
  ASSERT_EQ(*table_.Add({.may_relay = true}), hub);
  table_.Publish(2);
  EXPECT_FALSE(inner_.snapshot->MayBring(hub, direct));
}

// 500 that join in a second at 10 000 clients do not mean 500 snapshots.
TEST_F(PeerTableTest, ALargeTableIsPublishedLessOften) {
  LaneSlots lanes(1, 1);
  PeerTable large(link_, host_, lanes, 20'000, 1);
  for (int i = 0; i < 10'000; ++i) {
    large.Add({.addresses = {{{Family::kIpv4,
                               {10, static_cast<uint8_t>(i / 250),
                                static_cast<uint8_t>(i % 250), 1}},
                              24}}});
  }
  large.Publish(0);
  const int before = inner_.published;
  uint64_t longest = 0;
  uint64_t last = 0;
  for (uint64_t now = 0; now < kSecond; now += 2000) {
    large.LanesChanged({0});
    const uint64_t version = large.version();
    large.Publish(now);
    if (large.version() == version) {
      EXPECT_LE(large.NextDeadline(), last + PeerTable::kMostWaitUs);
      continue;
    }
    longest = std::max(longest, now - last);
    last = now;
  }
  EXPECT_LE(inner_.published - before, 60);
  EXPECT_GE(inner_.published - before, 10);
  EXPECT_LE(longest, PeerTable::kMostWaitUs + 2000);
  // What waits is out at its time, with no further change.
  large.LanesChanged({0});
  const uint64_t due = large.NextDeadline();
  ASSERT_NE(due, PeerTable::kNever);
  large.Publish(due - 1);
  EXPECT_EQ(large.NextDeadline(), due);
  large.Publish(due);
  EXPECT_EQ(large.NextDeadline(), PeerTable::kNever);
}

TEST_F(PeerTableTest, ASmallTableNeverWaits) {
  for (uint64_t now = 0; now < 100; ++now) {
    table_.SetForwarding(true);
    table_.Publish(now);
  }
  EXPECT_EQ(inner_.published, 100);
}

class TwoWorkersTableTest : public PeerTableTest {
 protected:
  TwoWorkersTableTest() : PeerTableTest(2) {}
};

TEST_F(TwoWorkersTableTest, AllWorkersKnowWhoseAFlowOnItsWayIs) {
  const Endpoint local = At("192.0.2.10:40000");
  const Endpoint remote = At("192.0.2.1:9000");
  table_.AddFlow(local, remote, {1});
  table_.Publish(0);
  EXPECT_EQ(inner_.snapshot->flows.Find(FlowKey::Of(local, remote)),
            WorkerIndex{1});
  table_.RemoveFlow(local, remote);
  table_.Publish(1);
  EXPECT_EQ(inner_.snapshot->flows.size(), 0u);
}

// A client that comes up is routed by every worker before its verdict leaves,
// and its own packets are let in from the first on.
TEST(PeerTableWorldTest, NothingOfAClientIsLostWhileItsSnapshotWaits) {
  loop::Log log{loop::LogLevel::kError};
  FakeNet net;
  TestHub hub(net, log);
  TestClient client(net, hub.worker, log, "10.0.0.2/24");
  // Found at the very command that tells the client that it is in.
  bool routed = false;
  hub.worker.on_send = [&](const Command& command) {
    if (!std::holds_alternative<InstallLaneCommand>(command)) return;
    const IpAddress address = Prefix("10.0.0.2").address;
    routed = hub.worker.published->routes.Lookup(
                 address.family, address.bytes.data()) != PeerIndex::kNone;
  };
  ASSERT_TRUE(
      RunWorld(net, hub, {&client}, kSecond, [&] { return client.up(); }));
  EXPECT_TRUE(routed);
}

// In a crowd, where a snapshot is not made at once: a client comes up no later
// than that makes it, and what it sends then is let in.
TEST(PeerTableWorldTest, AClientOfACrowdWaitsForItsSnapshotAndNoLonger) {
  loop::Log log{loop::LogLevel::kError};
  FakeNet net;
  constexpr uint32_t kPeers = 4000;
  TestHub hub(net, log, true, kPeers);
  for (uint32_t i = 0; i < kPeers; ++i) {
    PeerTable::Entry entry;
    entry.addresses = {{{Family::kIpv4,
                         {10, 1, static_cast<uint8_t>(i / 250),
                          static_cast<uint8_t>(i % 250)}},
                        16}};
    ASSERT_TRUE(hub.road->peers.Add(std::move(entry)));
  }
  std::vector<std::unique_ptr<TestClient>> clients;
  std::vector<TestClient*> all;
  for (int i = 0; i < 8; ++i) {
    const std::string address = "10.0.0." + std::to_string(2 + i) + "/24";
    clients.push_back(
        std::make_unique<TestClient>(net, hub.worker, log, address.c_str()));
    all.push_back(clients.back().get());
  }
  RunFor(net, hub, {}, 100'000);
  const uint64_t snapshots = hub.road->peers.version();
  // One after the other, sooner than snapshots follow each other.
  for (size_t i = 1; i < all.size(); ++i) {
    RunFor(net, hub, {all.begin(), all.begin() + static_cast<ptrdiff_t>(i)},
           kSecond / 250);
  }
  const uint64_t begun = net.now_us;
  uint64_t held = 0;
  ASSERT_TRUE(RunWorld(net, hub, all, kSecond, [&] {
    held = std::max<uint64_t>(held, hub.road->link.held());
    for (TestClient* client : all) {
      if (!client->up()) return false;
      const IpAddress& address = client->address.address;
      EXPECT_NE(hub.worker.published->routes.Lookup(address.family,
                                                    address.bytes.data()),
                PeerIndex::kNone);
    }
    return true;
  }));
  EXPECT_GT(held, 0u) << "they waited";
  // Three round trips: the flow, the key, the verdict.
  EXPECT_LE(net.now_us - begun,
            6 * FakeNet::kDelayUs + PeerTable::kMostWaitUs + 1000);
  EXPECT_LT(hub.road->peers.version() - snapshots, all.size() - 1);
  for (TestClient* client : all) EXPECT_TRUE(client->worker.SendData());
  RunFor(net, hub, all, 2 * FakeNet::kDelayUs);
  EXPECT_EQ(hub.worker.data_received, all.size());
}

// A client that comes and goes and comes again before the next snapshot.
TEST(PeerTableWorldTest, WhoLeavesWhileItsCommandsWaitLeavesNothing) {
  loop::Log log{loop::LogLevel::kError};
  FakeNet net;
  TestHub hub(net, log);
  TestClient client(net, hub.worker, log, "10.0.0.2/24");
  ASSERT_TRUE(RunWorld(net, hub, {&client}, kSecond, [&] {
    return hub.road->link.held() > 0 || hub.count() == 1;
  }));
  ASSERT_TRUE(hub.sessions->Ban(client.identity.public_key, net.now_us));
  RunFor(net, hub, {&client}, 100'000);
  EXPECT_EQ(hub.count(), 0u);
  EXPECT_TRUE(hub.worker.lanes.empty());
  EXPECT_EQ(hub.road->owners.lanes(), 0u);
}

}  // namespace
}  // namespace lwt::peer
