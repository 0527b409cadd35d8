// Client and hub joined in memory: what each does when the other, the path or
// the key fails.

#include <gtest/gtest.h>

#include "control/handshake/messages.h"
#include "dataplane/wire/record.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

// One client that renews its keys without end would take the control thread
// from all others.
TEST_F(SessionsTest, AClientCannotHaveItsKeysRenewedWithoutEnd) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  const Session& session = *hub_.sessions->clients()[0].session;
  const LaneName lane = session.lanes().front().name;
  const auto say = [&](handshake::ControlMessage message) {
    const auto kind = static_cast<uint8_t>(wire::RecordKind::kControl);
    hub_.road->owners.OnRecord(
        lane.worker,
        {lane.index, kind,
         handshake::BuildControlRecord(BuildControlMessage(message), 0)},
        net_.now_us);
  };
  const handshake::PublicKey share = handshake::GenerateStaticKey().public_key;
  constexpr uint32_t kRenewals = 1000;
  for (uint32_t epoch = 1; epoch <= kRenewals; ++epoch) {
    say({.sequence = 2 * epoch - 1,
         .acknowledged = epoch - 1,
         .type = handshake::ControlType::kRekeyOffer,
         .body = handshake::RekeyOffer{epoch, share}.Build()});
    say({.sequence = 2 * epoch,
         .acknowledged = epoch,
         .type = handshake::ControlType::kRekeyDone,
         .body = handshake::RekeyDone{epoch}.Build()});
  }
  EXPECT_EQ(session.send_epoch(), Session::kMessages.burst / 2);
}

TEST_F(SessionsTest, NetworksBehindPeersLeadToThem) {
  TestClient& office = AddClient("10.0.0.2/24");
  TestClient& other = AddClient("10.0.0.3/24");
  hub_.routing.own = {Prefix("192.168.1.0/24"), Prefix("fd01::/64")};
  hub_.networks[office.identity.public_key] = {Prefix("192.168.2.0/24")};
  hub_.networks[other.identity.public_key] = {Prefix("192.168.2.128/25")};
  hub_.Make();
  other.routing.accept = {{config::Acceptance::What::kOff, {}}};
  other.Make();
  ASSERT_TRUE(Until(kSecond, [&] { return office.up() && other.up(); }));
  Run(kSecond);
  const PeerIndex to_office = PeerAt(hub_.worker, "10.0.0.2");
  const PeerIndex to_other = PeerAt(hub_.worker, "10.0.0.3");
  EXPECT_NE(to_office, to_other);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.2.1"), to_office);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.2.200"), to_other);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.3.1"), PeerIndex::kNone);
  const PeerIndex to_hub = PeerAt(office.worker, "10.0.0.1");
  EXPECT_EQ(PeerAt(office.worker, "192.168.1.7"), to_hub);
  EXPECT_EQ(PeerAt(office.worker, "fd01::7"), to_hub);
  EXPECT_EQ(PeerAt(office.worker, "192.168.9.7"), PeerIndex::kNone);
  EXPECT_EQ(PeerAt(other.worker, "192.168.1.7"), PeerIndex::kNone);
}

TEST_F(SessionsTest, ComesUpAndCarriesBothWays) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  EXPECT_EQ(client.hub_key, hub_.identity.public_key);
  EXPECT_EQ(client.host.mtu, 1400);
  EXPECT_EQ(hub_.count(), 1u);
  client.worker.SendData();
  hub_.worker.SendData(0);
  Run(kSecond);
  EXPECT_EQ(hub_.worker.data_received, 1u);
  EXPECT_EQ(client.worker.data_received, 1u);
  EXPECT_EQ(hub_.worker.bad_tags + client.worker.bad_tags, 0u);
}

TEST_F(SessionsTest, MtuIsWhatTheFamilyInUseCarries) {
  hub_.host.path_mtu = 1389;
  TestClient& over_ipv6 = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return over_ipv6.up(); }));
  EXPECT_EQ(over_ipv6.host.mtu, 1389);
  hub_.host.path_mtu = 1409;
  hub_.sessions->OnLinkChanged();
  TestClient& over_ipv4 = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Until(kSecond, [&] { return over_ipv4.up(); }));
  EXPECT_EQ(over_ipv4.host.mtu, 1400);
  // A packet for a client is measured by that client's.
  EXPECT_EQ(hub_.host.mtu, 1409) << "its own, whatever clients offer";
  EXPECT_EQ(InnerMtuTo(hub_.worker, "10.0.0.2"), 1389);
  EXPECT_EQ(InnerMtuTo(hub_.worker, "10.0.0.3"), 1400);
}

TEST_F(SessionsTest, StreamMayComeInPiecesAndBackwards) {
  TestClient& client = AddClient("10.0.0.2/24");
  client.worker.cut = 200;
  client.worker.reverse = true;
  hub_.worker.cut = 500;
  hub_.worker.reverse = true;
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
}

TEST_F(SessionsTest, WaitsForTheNextHop) {
  TestClient& client = AddClient("10.0.0.2/24");
  client.host.link_known = false;
  EXPECT_FALSE(Until(3 * kSecond, [&] { return client.up(); }));
  client.host.link_known = true;
  EXPECT_TRUE(Until(kSecond, [&] { return client.up(); }));
}

// As when somebody put bytes of its own into the stream.
TEST_F(SessionsTest, AHubThatSaysNothingIsLeftAfterFiveSeconds) {
  hub_.sessions.reset();
  TestClient& client = AddClient("10.0.0.2/24");
  const auto is = [&](const char* state) {
    return [&client, state] { return client.session->state() == state; };
  };
  ASSERT_TRUE(Until(kSecond, is("connecting")));
  EXPECT_FALSE(Until(4 * kSecond, is("down")));
  EXPECT_TRUE(Until(2 * kSecond, is("down")));
  EXPECT_NE(client.session->reason().find("did not finish the handshake"),
            std::string::npos)
      << client.session->reason();
}

// As when a forged ack told the hub that its last words had arrived: it takes
// the client for up and sends, and all of it stands behind a hole.
TEST_F(SessionsTest, WhatStandsBehindAHoleIsNoWordOfTheHub) {
  hub_.sessions.reset();
  TestClient& client = AddClient("10.0.0.2/24");
  Run(kSecond / 2);
  const FlowId flow = FlowId::Of(client.worker.next_flow - 1, 1);
  for (uint64_t i = 0; i < 55 && client.session->state() != "down"; ++i) {
    Run(kSecond / 10);
    client.session->OnStream(
        PuntedStream{flow, 4000 + 100 * i, std::vector<uint8_t>(100)},
        net_.now_us);
  }
  EXPECT_EQ(client.session->state(), "down");
}

TEST_F(SessionsTest, WrongKeyIsSaidAndTriedAgain) {
  TestClient& client = AddClient("10.0.0.2/24", 2);
  EXPECT_FALSE(Until(5 * kSecond, [&] { return client.up(); }));
  EXPECT_NE(client.session->reason().find("wrong key"), std::string::npos)
      << client.session->state() << client.host.resolved << " " << net_.now_us
      << " " << client.worker.flows.size();
  EXPECT_EQ(hub_.count(), 0u);
  EXPECT_GE(client.host.resolved, 3);  // 0, 1, 3 s
  Run(60 * kSecond);
  EXPECT_LE(client.host.resolved, 8);
  EXPECT_EQ(client.worker.flows.size(), 0u);
  EXPECT_LE(client.host.locals.size(), 1u);
}

TEST_F(SessionsTest, ARouteThatFailsIsNoChangedKey) {
  TestClient& client = AddClient("10.0.0.2/24");
  // Whatever the code is that the host fails with.
  for (const absl::Status& route :
       {absl::FailedPreconditionError("no route to 192.0.2.1"),
        absl::UnauthenticatedError("no route to 192.0.2.1")}) {
    client.host.route = route;
    Run(5 * kSecond);
    EXPECT_EQ(client.session->reason(), "no route to 192.0.2.1");
    EXPECT_TRUE(client.changed_keys.empty());
  }
  client.host.route = absl::OkStatus();
  EXPECT_TRUE(Until(40 * kSecond, [&] { return client.up(); }));
  EXPECT_TRUE(client.changed_keys.empty());
}

TEST_F(SessionsTest, AChangedKeyIsToldAsTheOneThatWasSeen) {
  TestClient& client = AddClient("10.0.0.2/24");
  client.expected_hub_key = handshake::PublicKey{7};
  client.Make();
  EXPECT_FALSE(Until(kSecond, [&] { return client.up(); }));
  ASSERT_EQ(client.changed_keys.size(), 1u);
  EXPECT_EQ(client.changed_keys[0], hub_.identity.public_key);
  EXPECT_EQ(client.session->reason(), "another key");
}

TEST_F(SessionsTest, AddressIsHeldAcrossARestartOfTheHub) {
  TestClient& owner = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return owner.up(); }));
  Run(kSecond);  // within which the binding is kept
  hub_.Kill();
  clients_.clear();
  ASSERT_EQ(hub_.held.size(), 1u);
  EXPECT_EQ(hub_.held[0].until_unix_ms, HeldAddress::kConnected);
  hub_.held[0].until_unix_ms = hub_.host.UnixMs() + 20'000;
  hub_.Make();
  TestClient& thief = AddClient("10.0.0.2/24");
  EXPECT_FALSE(Until(10 * kSecond, [&] { return thief.up(); }));
  EXPECT_NE(thief.session->reason().find("belongs to another client"),
            std::string::npos)
      << thief.session->reason();
  // Held for so long, and no longer.
  EXPECT_TRUE(Until(60 * kSecond, [&] { return thief.up(); }));
}

TEST_F(SessionsTest, OrderlyEndKeepsTheTimeThatIsLeft) {
  TestClient& owner = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return owner.up(); }));
  EXPECT_TRUE(hub_.sessions->Close("the gateway stops", net_.now_us));
  ASSERT_EQ(hub_.held.size(), 1u);
  EXPECT_EQ(hub_.held[0].until_unix_ms,
            hub_.host.UnixMs() + AddressBook::kHoldUs / 1000);
}

TEST_F(SessionsTest, BacksOffWhileTheHubIsAwayAndComesBack) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  Run(20 * kSecond);
  hub_.Kill();
  EXPECT_FALSE(TrafficWithin(client, 5 * kSecond));
  hub_.Make();
  EXPECT_TRUE(TrafficWithin(client, 10 * kSecond));
  EXPECT_TRUE(client.up());
}

TEST_F(SessionsTest, ARestartedHubIsFoundAtOnceWithAHint) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  Run(20 * kSecond);
  hub_.Kill();
  hub_.Make();
  Event reset;
  reset.kind = EventKind::kResetHint;
  reset.flow = client.session->session()->sending_lane()->flow;
  client.worker.events.push_back(reset);
  EXPECT_TRUE(TrafficWithin(client, 2 * kSecond));
}

TEST_F(SessionsTest, AHostThatWasSuspendedFindsARestartedHubAtOnce) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  Run(20 * kSecond);
  hub_.Kill();
  hub_.Make();
  client.session->OnResumed(net_.now_us);
  EXPECT_TRUE(TrafficWithin(client, 2 * kSecond));
}

TEST_F(SessionsTest, AHostThatWasSuspendedDoesNotWaitForItsNextTry) {
  hub_.Kill();
  TestClient& client = AddClient("10.0.0.2/24");
  Run(100 * kSecond);
  EXPECT_FALSE(client.up());
  hub_.Make();
  client.session->OnResumed(net_.now_us);
  EXPECT_TRUE(Until(kSecond, [&] { return client.up(); }));
}

TEST_F(SessionsTest, ADeadPathIsReplacedByALaneJoin) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  Run(kSecond);
  uint64_t id = client.session->session()->secrets().session_id;
  net_.dead_ports.insert(40000);
  EXPECT_TRUE(TrafficWithin(client, 10 * kSecond));
  EXPECT_EQ(client.session->session()->secrets().session_id, id);
  EXPECT_EQ(hub_.count(), 1u);
  EXPECT_GE(client.host.suspected, 1);
  hub_.worker.SendData(0);
  Run(5 * kSecond);
  EXPECT_EQ(client.worker.data_received, 1u);
  EXPECT_EQ(client.session->session()->lanes().size(), 1u);
  Run(40 * kSecond);
  EXPECT_EQ(hub_.sessions->clients()[0].session->lanes().size(), 1u);
  EXPECT_EQ(hub_.worker.bad_tags + client.worker.bad_tags, 0u);
}

TEST_F(SessionsTest, AnIdlePathIsProbedSeldomAndLives) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  uint64_t before = hub_.worker.lanes.begin()->second.reading.records_opened;
  Run(300 * kSecond);
  EXPECT_TRUE(client.up());
  EXPECT_EQ(hub_.count(), 1u);
  uint64_t probes =
      hub_.worker.lanes.begin()->second.reading.records_opened - before;
  EXPECT_GE(probes, 11u);
  EXPECT_LE(probes, 26u);  // probes, and two re-keyings
}

TEST_F(SessionsTest, TheHubDropsASilentClientAndKeepsItsAddress) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  auto silent = std::move(clients_.front());
  clients_.clear();
  Run(90 * kSecond);
  EXPECT_EQ(hub_.count(), 0u);
  TestClient& other = AddClient("10.0.0.2/24");
  EXPECT_FALSE(Until(5 * kSecond, [&] { return other.up(); }));
  EXPECT_NE(other.session->reason().find("another client"), std::string::npos);
  EXPECT_EQ(hub_.sessions->Forget(Prefix("10.0.0.2/32"), net_.now_us).size(),
            1u);
  EXPECT_TRUE(Until(10 * kSecond, [&] { return other.up(); }));
}

TEST_F(SessionsTest, ABannedKeyStaysOutOverARestartUntilItIsUnbanned) {
  TestClient& client = AddClient("10.0.0.2/24");
  TestClient& other = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up() && other.up(); }));
  const handshake::PublicKey key = client.identity.public_key;
  ASSERT_TRUE(hub_.sessions->Ban(key, net_.now_us));
  EXPECT_EQ(hub_.count(), 1u);
  ASSERT_TRUE(Until(kSecond, [&] { return !client.up(); }));
  EXPECT_FALSE(Until(5 * kSecond, [&] { return client.up(); }));
  EXPECT_NE(client.session->reason().find("banned by the operator"),
            std::string::npos)
      << client.session->reason();
  EXPECT_EQ(hub_.banned, BannedKeys{key});
  EXPECT_TRUE(
      std::none_of(hub_.held.begin(), hub_.held.end(),
                   [&](const HeldAddress& held) { return held.key == key; }));
  hub_.Kill();
  hub_.Make();
  EXPECT_FALSE(Until(40 * kSecond, [&] { return client.up(); }));
  EXPECT_TRUE(other.up());
  EXPECT_TRUE(hub_.sessions->Unban(key));
  EXPECT_FALSE(hub_.sessions->Unban(key));
  EXPECT_TRUE(hub_.banned.empty());
  EXPECT_TRUE(Until(40 * kSecond, [&] { return client.up(); }));
}

TEST_F(SessionsTest, ForgettingARangeDropsWhoHasAddressesInIt) {
  TestClient& low = AddClient("10.0.0.2/24");
  TestClient& high = AddClient("10.0.0.200/24");
  ASSERT_TRUE(Until(kSecond, [&] { return low.up() && high.up(); }));
  EXPECT_TRUE(
      hub_.sessions->Forget(Prefix("10.0.1.0/24"), net_.now_us).empty());
  EXPECT_EQ(hub_.sessions->Forget(Prefix("10.0.0.128/25"), net_.now_us),
            std::vector<IpAddress>{Prefix("10.0.0.200").address});
  EXPECT_EQ(hub_.count(), 1u);
  EXPECT_EQ(hub_.sessions->Forget(low.identity.public_key, net_.now_us).size(),
            1u);
  EXPECT_EQ(hub_.count(), 0u);
}

TEST_F(SessionsTest, GoodbyeIsHeardAtOnce) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  EXPECT_TRUE(client.session->Close("the gateway stops"));
  EXPECT_TRUE(Until(kSecond / 10, [&] { return hub_.count() == 0; }));
}

TEST_F(SessionsTest, ASecondClientWithTheAddressIsRefused) {
  TestClient& first = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return first.up(); }));
  TestClient& second = AddClient("10.0.0.2/24");
  TestClient& outside = AddClient("10.0.1.2/24");
  TestClient& own = AddClient("10.0.0.1/24");
  Run(3 * kSecond);
  EXPECT_FALSE(second.up());
  EXPECT_NE(second.session->reason().find("belongs to another client"),
            std::string::npos);
  EXPECT_FALSE(outside.up());
  EXPECT_NE(outside.session->reason().find("10.0.0.0/24"), std::string::npos);
  EXPECT_FALSE(own.up());
  EXPECT_NE(own.session->reason().find("own tunnel address"),
            std::string::npos);
  EXPECT_TRUE(first.up());
}

TEST_F(SessionsTest, TheSameKeyReplacesItsSession) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  client.worker.Crash();
  client.session.reset();
  client.Make();
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  EXPECT_EQ(hub_.count(), 1u);
  EXPECT_TRUE(TrafficWithin(client, kSecond));
}

TEST_F(SessionsTest, OneClientOnlyRefusesASecondKey) {
  hub_.multi_client = false;
  hub_.sessions.reset();
  hub_.Make();
  TestClient& first = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return first.up(); }));
  TestClient& second = AddClient("10.0.0.3/24");
  EXPECT_FALSE(Until(3 * kSecond, [&] { return second.up(); }));
  EXPECT_NE(second.session->reason().find("multi_client"), std::string::npos);
}

TEST_F(SessionsTest, AFullHubRefuses) {
  for (int i = 2; i < 6; ++i) {
    AddClient(("10.0.0." + std::to_string(i) + "/24").c_str());
  }
  ASSERT_TRUE(Until(kSecond, [&] { return hub_.count() == 4; }));
  TestClient& fifth = AddClient("10.0.0.9/24");
  EXPECT_FALSE(Until(3 * kSecond, [&] { return fifth.up(); }));
  EXPECT_NE(fifth.session->reason().find("max_clients"), std::string::npos);
}

TEST_F(SessionsTest, ReKeysManyTimesWithoutALoss) {
  TestClient& client = AddClient("10.0.0.2/24", 1, 100);
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  uint64_t sent = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 100; ++i, ++sent) {
      ASSERT_TRUE(client.worker.SendData());
    }
    Event due;
    due.kind = EventKind::kEpochDue;
    client.worker.events.push_back({client.worker.lanes.begin()->first, due});
    Run(kSecond / 5);
  }
  EXPECT_GE(client.session->session()->send_epoch(), 25u);
  EXPECT_EQ(client.session->session()->send_epoch(),
            hub_.sessions->clients()[0].session->send_epoch());
  EXPECT_EQ(hub_.worker.data_received, sent);
  EXPECT_EQ(hub_.worker.bad_tags + client.worker.bad_tags, 0u);
}

TEST_F(SessionsTest, RoamsToANewSourceAddress) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  uint64_t id = client.session->session()->secrets().session_id;
  IpAddress moved = Prefix("203.0.113.7").address;
  client.host.MoveTo(moved);
  client.session->OnSourceChanged(moved, net_.now_us);
  ASSERT_TRUE(Until(kSecond, [&] {
    return client.session->session()->sending_lane()->local.address == moved;
  }));
  EXPECT_EQ(client.session->session()->secrets().session_id, id);
  EXPECT_TRUE(TrafficWithin(client, kSecond));
}

TEST_F(SessionsTest, GarbageIsAnsweredWithAnAlertAndForgotten) {
  for (int i = 0; i < 2000; ++i) {
    Event up;
    up.kind = EventKind::kFlowUp;
    up.flow = FlowId::Of(static_cast<uint32_t>(i), 3);
    up.local = At("192.0.2.1:9000");
    up.remote = At("198.51.100.9:5000");
    hub_.worker.events.push_back(up);
    if (i % 2 == 0) continue;
    hub_.worker.Punt(up.flow, std::vector<uint8_t>(10, 0x16), 0);
    hub_.worker.Punt(up.flow, std::vector<uint8_t>(1000, 7), 20);
  }
  Run(20 * kSecond);
  EXPECT_EQ(hub_.count(), 0u);
  // The burst used up its own network's allowance, not this one's.
  TestClient& client = AddClient("10.0.0.2/24");
  EXPECT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
}

// A client whose new flow came where no lane is free stays as it is.
TEST_F(SessionsTest, WhoFindsNoLaneFreeLosesNothing) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  const auto id = [&] {
    const Session* session =
        hub_.sessions->SessionOf(client.identity.public_key);
    return session == nullptr ? 0 : session->secrets().session_id;
  };
  const uint64_t before = id();
  ASSERT_NE(before, 0u);
  // All lanes are somebody's, and that of its session on another worker.
  Session& session = *hub_.sessions->SessionOf(client.identity.public_key);
  session.RemoveLane(session.lanes().front().name);
  while (hub_.road->peers.TakeLane({0})) {
  }
  client.Make();  // it knows nothing, and calls
  Until(5 * kSecond, [&] { return client.session->state() == "down"; });
  EXPECT_NE(client.session->reason().find("max_clients"), std::string::npos)
      << client.session->reason();
  EXPECT_EQ(id(), before);
  // Once there is a lane, it comes in, and takes the place of what was.
  hub_.road->peers.GiveLane({{0}, {0}});
  EXPECT_TRUE(Until(60 * kSecond, [&] { return client.up(); }));
  EXPECT_NE(id(), before);
}

}  // namespace
}  // namespace lwt::peer
