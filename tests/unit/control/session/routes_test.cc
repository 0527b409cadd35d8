// Networks behind a hub and its clients: announced, judged, answered, told on,
// and led to the tunnel device.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "drivers/scoped_fd.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using handshake::RouteCode;
using Prefixes = std::vector<IpPrefix>;

class RoutesTest : public SessionsTest {
 protected:
  TestClient& Site(const char* address, Prefixes behind) {
    TestClient& client = AddClient(address);
    client.routing.own = std::move(behind);
    client.Make();
    return client;
  }
  void ConnectAll() {
    hub_.Make();
    ASSERT_TRUE(Until(5 * kSecond, [&] {
      for (auto& client : clients_) {
        if (!client->up()) return false;
      }
      return true;
    }));
    Run(3 * kSecond);
  }
  // Why the hub does not take the n-th of what the client announces, 0 where
  // it does.
  static int RefusedBy(const TestClient& client, size_t index) {
    const auto& exchange = client.session->routes().exchange();
    EXPECT_TRUE(exchange.answered());
    const auto code = exchange.RefusedBy(index);
    return code ? static_cast<int>(*code) : 0;
  }
  HubSessions::Client& AtHub(const TestClient& client) {
    for (const auto& each : hub_.sessions->clients()) {
      if (each.session &&
          each.session->secrets().peer_key == client.identity.public_key) {
        return const_cast<HubSessions::Client&>(each);
      }
    }
    ADD_FAILURE() << "not connected";
    return const_cast<HubSessions::Client&>(hub_.sessions->clients()[0]);
  }
};

TEST_F(RoutesTest, ThreeSitesReachEachOther) {
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  TestClient& a = Site("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  TestClient& b =
      Site("10.0.0.3/24", {Prefix("10.30.0.0/16"), Prefix("fd30::/64")});
  TestClient& plain = AddClient("10.0.0.4/24");
  ConnectAll();
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.0.7"), PeerAt(hub_.worker, "10.0.0.2"));
  EXPECT_EQ(PeerAt(hub_.worker, "fd30::7"), PeerAt(hub_.worker, "10.0.0.3"));
  EXPECT_EQ(hub_.host.networks,
            (Prefixes{Prefix("10.20.0.0/16"), Prefix("10.30.0.0/16"),
                      Prefix("fd30::/64")}));
  const auto to_hub = PeerAt(a.worker, "10.0.0.1");
  for (const char* inside : {"10.30.0.7", "fd30::7", "192.168.1.7"}) {
    EXPECT_EQ(PeerAt(a.worker, inside), to_hub) << inside;
  }
  // Its own leads out of the tunnel.
  EXPECT_EQ(PeerAt(a.worker, "10.20.0.7"), PeerIndex::kNone);
  EXPECT_EQ(a.host.networks,
            (Prefixes{Prefix("10.30.0.0/16"), Prefix("192.168.1.0/24"),
                      Prefix("fd30::/64")}));
  EXPECT_EQ(plain.host.networks.size(), 4u);
  EXPECT_EQ(RefusedBy(a, 0), 0);
  // One leaves: the others keep theirs, and are told.
  b.session->Close("over");
  Run(3 * kSecond);
  EXPECT_EQ(a.host.networks, (Prefixes{Prefix("192.168.1.0/24")}));
  EXPECT_EQ(plain.host.networks,
            (Prefixes{Prefix("10.20.0.0/16"), Prefix("192.168.1.0/24")}));
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.0.7"), PeerAt(hub_.worker, "10.0.0.2"));
}

TEST_F(RoutesTest, WhatIsNotAcceptedIsSaidAtBothEnds) {
  hub_.host.connected = {Prefix("192.168.1.5/24")};
  TestClient& other = Site("10.0.0.3/24", {Prefix("10.30.0.0/16")});
  ConnectAll();
  TestClient& hostile =
      Site("10.0.0.2/24", {Prefix("0.0.0.0/0"), Prefix("10.0.0.0/24"),
                           Prefix("192.0.2.0/24"), Prefix("192.168.0.0/16"),
                           Prefix("10.30.0.128/25"), Prefix("198.51.100.0/24"),
                           Prefix("224.0.0.0/8"), Prefix("10.40.0.0/16")});
  ASSERT_TRUE(Until(kSecond, [&] { return hostile.up(); }));
  Run(3 * kSecond);
  const int codes[] = {1, 2, 3, 4, 5, 6, 8, 0};
  const auto& at_hub = AtHub(hostile).routes;
  for (size_t i = 0; i < std::size(codes); ++i) {
    EXPECT_EQ(RefusedBy(hostile, i), codes[i]) << i;
    const auto code = at_hub.codes().at(i);
    EXPECT_EQ(code ? static_cast<int>(*code) : 0, codes[i]) << i;
  }
  EXPECT_EQ(PeerAt(hub_.worker, "10.30.0.200"),
            PeerAt(hub_.worker, "10.0.0.3"));
  EXPECT_EQ(PeerAt(hub_.worker, "198.51.100.7"), PeerIndex::kNone);
  EXPECT_EQ(other.host.networks, Prefixes{Prefix("10.40.0.0/16")});
}

TEST_F(RoutesTest, AClientTakesWhatItsSettingsSay) {
  hub_.routing.own = {Prefix("192.168.1.0/24"), Prefix("198.51.100.0/24"),
                      Prefix("192.0.2.0/28"), Prefix("172.16.0.0/16")};
  TestClient& client = AddClient("10.0.0.2/24");
  client.host.connected = {Prefix("172.16.3.4/24")};
  ConnectAll();
  EXPECT_EQ(client.host.networks, Prefixes{Prefix("192.168.1.0/24")});
  const auto& told = AtHub(client).routes;
  EXPECT_EQ(told.RefusedBy(1), RouteCode::kNotAccepted);
  EXPECT_EQ(told.RefusedBy(2), RouteCode::kUnderlay);
  EXPECT_EQ(told.RefusedBy(3), RouteCode::kConnected);
  // Other settings, and another network of the host.
  ClientSession::Settings settings{
      .routing = {.own = {}, .accept = {{config::Acceptance::What::kAll, {}}}},
      .hubs = {{{"hub.test", 9000}, std::nullopt}},
      .offered_mtu = 1400};
  client.session->Apply(settings, net_.now_us);
  Run(kSecond);
  EXPECT_EQ(client.host.networks.size(), 2u);
  client.host.connected = {Prefix("192.168.1.77/24")};
  client.session->OnHostNetworks();
  Run(kSecond);
  EXPECT_EQ(client.host.networks,
            (Prefixes{Prefix("172.16.0.0/16"), Prefix("198.51.100.0/24")}));
  EXPECT_EQ(told.RefusedBy(0), RouteCode::kConnected);
  EXPECT_EQ(told.RefusedBy(3), std::nullopt);
}

// No packet for a network behind the hub takes another way meanwhile.
TEST_F(RoutesTest, WhatAClientTookStaysWhileItsHubIsAway) {
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  TestClient& client = AddClient("10.0.0.2/24");
  ConnectAll();
  hub_.Kill();
  EXPECT_FALSE(
      Until(60 * kSecond, [&] { return client.host.networks.empty(); }));
  EXPECT_FALSE(client.up());
  hub_.routing.own = {};
  hub_.Make();
  ASSERT_TRUE(Until(60 * kSecond, [&] { return client.up(); }));
  Run(kSecond);
  EXPECT_TRUE(client.host.networks.empty()) << "the new list counts";
}

TEST_F(RoutesTest, ANetworkStaysAKeysWhileItIsAway) {
  TestClient& site = Site("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  TestClient& other = AddClient("10.0.0.3/24");
  ConnectAll();
  Run(60 * kSecond);
  site.session->Close("a night");
  Run(3 * kSecond);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.0.7"), RouteTable::kAbsent)
      << "unreachable, and never the default route";
  EXPECT_EQ(hub_.host.networks, Prefixes{Prefix("10.20.0.0/16")});
  EXPECT_TRUE(other.host.networks.empty());
  other.routing.own = {Prefix("10.20.1.0/24")};
  other.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return other.up(); }));
  Run(3 * kSecond);
  EXPECT_EQ(RefusedBy(other, 0), 5);
  // Freed by the operator: it is the other's at once.
  EXPECT_EQ(hub_.sessions->ForgetRoutes(Prefix("10.0.0.0/8")).size(), 1u);
  Run(3 * kSecond);
  EXPECT_EQ(RefusedBy(other, 0), 0);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.1.7"), PeerAt(hub_.worker, "10.0.0.3"));
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.2.7"), PeerIndex::kNone);
}

TEST_F(RoutesTest, WhoComesBackHasItsNetworksAtOnce) {
  TestClient& site = Site("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  ConnectAll();
  Run(60 * kSecond);
  site.session->Close("an update");
  Run(kSecond);
  ASSERT_EQ(PeerAt(hub_.worker, "10.20.0.7"), RouteTable::kAbsent);
  site.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return hub_.count() == 1; }));
  hub_.road->peers.PublishNow();
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.0.7"), PeerAt(hub_.worker, "10.0.0.2"));
}

TEST_F(RoutesTest, AFloodOfListsIsJudgedOnceASecond) {
  TestClient& client = AddClient("10.0.0.2/24");
  ConnectAll();
  const uint64_t snapshots = hub_.road->peers.version();
  Session& session = const_cast<Session&>(*client.session->session());
  uint32_t version = 1;
  uint64_t next_us = net_.now_us;
  Until(10 * kSecond, [&] {
    if (net_.now_us >= next_us) {
      next_us = net_.now_us + kSecond / 50;
      net_.At(next_us, [] {});
      const IpPrefix network{
          {Family::kIpv4, {10, 20, static_cast<uint8_t>(version)}}, 24};
      session.Send(handshake::RoutesMessage{++version, {network}});
    }
    return false;
  });
  const auto& routes = AtHub(client).routes;
  EXPECT_GT(routes.lists(), 200u);
  EXPECT_GE(routes.overtaken(), routes.lists() - 14);
  EXPECT_LE(hub_.road->peers.version(), snapshots + 40);
  Run(3 * kSecond);
  EXPECT_EQ(hub_.host.networks.size(), 1u);
  EXPECT_TRUE(client.up());
}

// Of a peer from before there were routes.
TEST_F(RoutesTest, AHubTellsNothingToWhoDoesNotUnderstand) {
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  TestClient& client = Site("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  client.features = 0;
  client.Make();
  size_t routes = 0;
  hub_.Make();
  hub_.worker.on_send = [&](const Command& command) {
    const auto* record = std::get_if<SendRecordCommand>(&command);
    if (record == nullptr) return;
    const auto content = handshake::ParseControlRecord(record->bytes);
    if (!content) return;
    const auto message = handshake::ParseControlMessage(*content);
    if (message && (message->type == handshake::ControlType::kRoutes ||
                    message->type == handshake::ControlType::kRoutesAnswer)) {
      ++routes;
    }
  };
  ASSERT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
  Run(3 * kSecond);
  EXPECT_EQ(routes, 0u);
  EXPECT_TRUE(TrafficWithin(client, kSecond));
  // The control: one that understands is told.
  client.features = handshake::kOwnFeatures;
  client.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
  Run(3 * kSecond);
  EXPECT_GT(routes, 0u);
}

TEST_F(RoutesTest, WhereTheTunnelsFramesGoNoNetworkIsTaken) {
  TestClient& site = Site("10.0.0.2/24", {Prefix("192.168.50.0/24")});
  TestClient& roams = AddClient("10.0.0.3/24");
  ConnectAll();
  EXPECT_EQ(RefusedBy(site, 0), 0);
  roams.host.MoveTo(*ParseIpAddress("192.168.50.9"));
  roams.session->OnSourceChanged(*ParseIpAddress("192.168.50.9"), net_.now_us);
  Run(5 * kSecond);
  ASSERT_EQ(AtHub(roams).remote.address, *ParseIpAddress("192.168.50.9"));
  EXPECT_EQ(RefusedBy(site, 0), 3);
  EXPECT_TRUE(hub_.host.networks.empty());
}

// As the hub side makes of 0.0.0.0/0 in allowed_ips.
TEST_F(RoutesTest, AllThatHasNoOtherWayGoesToOneClient) {
  TestClient& exit = AddClient("10.0.0.2/24");
  TestClient& site = AddClient("10.0.0.3/24");
  site.routing.own = {Prefix("192.168.3.0/24")};
  site.Make();
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  hub_.host.connected = {Prefix("192.0.2.1/24")};
  hub_.networks[exit.identity.public_key] = {Prefix("0.0.0.0/1"),
                                             Prefix("128.0.0.0/1")};
  hub_.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return exit.up() && site.up(); }));
  Run(3 * kSecond);
  const PeerIndex to_exit = PeerAt(hub_.worker, "10.0.0.2");
  ASSERT_NE(to_exit, PeerIndex::kNone);
  EXPECT_EQ(PeerAt(hub_.worker, "8.8.8.8"), to_exit);
  EXPECT_EQ(PeerAt(hub_.worker, "203.0.113.7"), to_exit);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.3.7"),
            PeerAt(hub_.worker, "10.0.0.3"));
  // Neither what is the hub's, nor what is never routed, nor the tunnel's.
  for (const char* own : {"192.168.1.7", "192.0.2.99", "127.0.0.1",
                          "224.0.0.251", "169.254.1.1", "255.255.255.255"}) {
    EXPECT_EQ(PeerAt(hub_.worker, own), PeerIndex::kNone) << own;
  }
  EXPECT_EQ(PeerAt(hub_.worker, "10.0.0.99"), RouteTable::kAbsent);
  EXPECT_EQ(PeerAt(hub_.worker, "2001:db8::1"), PeerIndex::kNone);
  // The hub's kernel is led there; the others are told nothing of it.
  EXPECT_EQ(hub_.host.networks.size(), 3u);
  EXPECT_EQ(site.host.networks, std::vector{Prefix("192.168.1.0/24")});
  // A network that the hub's host joins is no longer beside.
  hub_.host.connected.push_back(Prefix("198.51.100.1/24"));
  hub_.sessions->OnHostNetworks(net_.now_us);
  Run(kSecond);
  EXPECT_EQ(PeerAt(hub_.worker, "198.51.100.7"), PeerIndex::kNone);
  // While it is away, that goes nowhere, as with any network behind it.
  exit.session->Close("a night");
  Run(kSecond);
  EXPECT_EQ(PeerAt(hub_.worker, "8.8.8.8"), RouteTable::kAbsent);
}

}  // namespace
}  // namespace lwt::peer
