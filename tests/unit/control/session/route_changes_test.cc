// Networks behind a hub and its clients when something changes: settings, the
// host's networks, where a client is; and lists that are too long or broken.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using Nets = std::vector<IpPrefix>;
using What = config::Acceptance::What;

// The bytes of a list or of an answer, as nobody builds them.
template <handshake::ControlType type>
struct BrokenBody {
  static constexpr auto kType = type;
  static bool kUnderstoodBy(const handshake::PeerOffer&) { return true; }
  handshake::ByteVector bytes;

  handshake::ByteVector Build() const { return bytes; }
  static std::optional<BrokenBody> Parse(handshake::ByteSpan) { return {}; }
};
using BrokenList = BrokenBody<handshake::ControlType::kRoutes>;
using BrokenAnswer = BrokenBody<handshake::ControlType::kRoutesAnswer>;

class RouteChangesTest : public SessionsTest {
 protected:
  TestClient& SiteOf(const char* address, Nets behind) {
    TestClient& client = AddClient(address);
    client.routing.own = std::move(behind);
    client.Make();
    return client;
  }
  bool Connect(const TestClient& client) {
    const bool up = Until(5 * kSecond, [&] { return client.up(); });
    Run(3 * kSecond);
    return up;
  }
  // Why the hub does not take the n-th, 0 where it does, -1 unanswered.
  static int Refused(const TestClient& client, size_t index) {
    const auto& exchange = client.session->routes().exchange();
    if (!exchange.answered()) return -1;
    const auto code = exchange.RefusedBy(index);
    return code ? static_cast<int>(*code) : 0;
  }
  static ClientSession::Settings SettingsWith(config::RoutingConfig routing) {
    return {.routing = std::move(routing),
            .hubs = {{{"hub.test", 9000}, std::nullopt}},
            .offered_mtu = 1400};
  }
  HubSessions::Settings HubSettings() const {
    HubSessions::Settings settings{.max_clients = 4, .offered_mtu = 1409};
    settings.multi_client = true;
    settings.routing.settings = hub_.routing;
    settings.routing.granted = hub_.networks;
    return settings;
  }
};

// The frames to that address would enter the one that is left.
TEST_F(RouteChangesTest, AnEndInNetworksOfTwoClientsIsTakenFromBoth) {
  hub_.Make();
  TestClient& inner = SiteOf("10.0.0.2/24", {Prefix("192.168.50.0/24")});
  ASSERT_TRUE(Connect(inner));
  TestClient& outer = SiteOf("10.0.0.3/24", {Prefix("192.168.0.0/16")});
  ASSERT_TRUE(Connect(outer));
  ASSERT_EQ(Refused(inner, 0), 0);
  ASSERT_EQ(Refused(outer, 0), 0);
  TestClient& roams = AddClient("10.0.0.4/24");
  ASSERT_TRUE(Connect(roams));
  roams.host.MoveTo(*ParseIpAddress("192.168.50.9"));
  roams.session->OnSourceChanged(*ParseIpAddress("192.168.50.9"), net_.now_us);
  Run(5 * kSecond);
  EXPECT_EQ(Refused(inner, 0), 3);
  EXPECT_EQ(Refused(outer, 0), 3);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.50.9"), PeerIndex::kNone);
  EXPECT_TRUE(hub_.host.networks.empty());
}

// Also those of who is away, of whom no list is there to be judged.
TEST_F(RouteChangesTest, AnEndIsTakenFromWhoIsAwayAlone) {
  hub_.Make();
  TestClient& site = SiteOf(
      "10.0.0.2/24", {Prefix("192.168.50.0/24"), Prefix("192.168.60.0/24")});
  ASSERT_TRUE(Connect(site));
  TestClient& roams = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Connect(roams));
  Run(60 * kSecond);
  site.session->Close("a night");
  Run(3 * kSecond);
  ASSERT_EQ(hub_.host.networks.size(), 2u);
  roams.host.MoveTo(*ParseIpAddress("192.168.50.9"));
  roams.session->OnSourceChanged(*ParseIpAddress("192.168.50.9"), net_.now_us);
  Run(5 * kSecond);
  EXPECT_EQ(hub_.host.networks, Nets{Prefix("192.168.60.0/24")});
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.60.1"), RouteTable::kAbsent);
}

TEST_F(RouteChangesTest, AClientsSettingsCountWhileItsHubIsAway) {
  hub_.routing.own = {Prefix("192.168.1.0/24"), Prefix("172.16.0.0/16"),
                      Prefix("192.168.7.0/24")};
  hub_.Make();
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  ASSERT_EQ(client.host.networks.size(), 3u);
  hub_.sessions->Close("a restart", net_.now_us);
  ASSERT_TRUE(
      Until(5 * kSecond, [&] { return client.session->session() == nullptr; }));
  hub_.Kill();
  ASSERT_EQ(client.host.networks.size(), 3u) << "they stay as they are";
  client.session->Apply(
      SettingsWith({.own = {Prefix("192.168.7.128/25")},
                    .accept = {{What::kNetwork, Prefix("192.168.0.0/16")}}}),
      net_.now_us);
  Run(kSecond);
  EXPECT_EQ(client.host.networks, Nets{Prefix("192.168.1.0/24")});
  client.session->Apply(SettingsWith({.own = {}, .accept = {{What::kOff, {}}}}),
                        net_.now_us);
  Run(kSecond);
  EXPECT_TRUE(client.host.networks.empty());
}

// What a client lost of it, in whatever way, is there again.
TEST_F(RouteChangesTest, EachIntervalClientsAreToldAgain) {
  constexpr uint64_t kInterval = 100 * kSecond;
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  hub_.tell_interval_us = kInterval;
  hub_.Make();
  TestClient& client = AddClient("10.0.0.2/24");
  TestClient& other = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Connect(client));
  ASSERT_TRUE(Connect(other));
  const ClientRoutes& routes = client.session->routes();
  const uint64_t lists = routes.exchange().lists();
  const uint16_t mtu = client.session->session()->inner_mtu();
  const auto lose = [&] {
    const_cast<ClientRoutes&>(routes) =
        ClientRoutes({client.address}, client.routing);
    const_cast<ClientRoutes&>(routes).OnSession(*client.session->session());
    const_cast<Session&>(*client.session->session()).TakeMtu(600);
  };
  const auto is_there = [&] {
    return routes.accepted() == Nets{Prefix("192.168.1.0/24")} &&
           client.session->session()->inner_mtu() == mtu;
  };
  lose();
  Run(kInterval / 2);
  EXPECT_FALSE(is_there()) << "nothing new, nothing said";
  Run(kInterval / 2);
  EXPECT_TRUE(is_there());
  EXPECT_EQ(other.session->routes().exchange().lists(), lists + 1);
  EXPECT_TRUE(client.up());
  // Another interval counts from the reload, and none is never.
  HubSessions::Settings settings = HubSettings();
  settings.tell_interval_us = kInterval / 10;
  hub_.sessions->Apply(settings, net_.now_us);
  lose();
  Run(kInterval / 10 + 2 * kSecond);
  EXPECT_TRUE(is_there());
  settings.tell_interval_us = 0;
  hub_.sessions->Apply(settings, net_.now_us);
  lose();
  Run(5 * kInterval);
  EXPECT_FALSE(is_there());
}

TEST_F(RouteChangesTest, AHubsReloadIsToldToItsClients) {
  hub_.routing.own = {Prefix("192.168.1.0/24")};
  hub_.Make();
  TestClient& site = SiteOf("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  ASSERT_TRUE(Connect(site));
  ASSERT_EQ(Refused(site, 0), 0);
  hub_.routing = {.own = {Prefix("192.168.2.0/24")},
                  .accept = {{What::kOff, {}}}};
  hub_.sessions->Apply(HubSettings(), net_.now_us);
  Run(3 * kSecond);
  EXPECT_EQ(site.host.networks, Nets{Prefix("192.168.2.0/24")});
  EXPECT_EQ(Refused(site, 0), 6);
  EXPECT_TRUE(hub_.host.networks.empty());
  // And back, without another list of the client.
  hub_.routing.accept = {{What::kNetwork, Prefix("10.0.0.0/8")}};
  hub_.sessions->Apply(HubSettings(), net_.now_us);
  Run(3 * kSecond);
  EXPECT_EQ(Refused(site, 0), 0);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.0.7"), PeerAt(hub_.worker, "10.0.0.2"));
  // What the hub has behind itself is no client's.
  hub_.routing.own = {Prefix("10.20.7.0/24")};
  hub_.sessions->Apply(HubSettings(), net_.now_us);
  Run(3 * kSecond);
  EXPECT_EQ(Refused(site, 0), 4);
  EXPECT_TRUE(site.up());
}

TEST_F(RouteChangesTest, ANetworkThatTheHubsHostJoinsIsNoClients) {
  hub_.Make();
  TestClient& site = SiteOf("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  ASSERT_TRUE(Connect(site));
  hub_.host.connected = {Prefix("10.20.3.4/24")};
  hub_.sessions->OnHostNetworks(net_.now_us);
  Run(3 * kSecond);
  EXPECT_EQ(Refused(site, 0), 4);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.9.9"), PeerIndex::kNone);
  hub_.host.connected = {};
  hub_.sessions->OnHostNetworks(net_.now_us);
  Run(3 * kSecond);
  EXPECT_EQ(Refused(site, 0), 0);
  EXPECT_EQ(PeerAt(hub_.worker, "10.20.9.9"), PeerAt(hub_.worker, "10.0.0.2"));
}

TEST_F(RouteChangesTest, AGrantWithinAnothersIsNotTakenByAnAnnouncement) {
  TestClient& wide = SiteOf(
      "10.0.0.2/24", {Prefix("172.16.1.128/25"), Prefix("172.16.2.0/24")});
  TestClient& narrow = AddClient("10.0.0.3/24");
  hub_.networks = {{wide.identity.public_key, {Prefix("172.16.0.0/12")}},
                   {narrow.identity.public_key, {Prefix("172.16.1.0/24")}}};
  hub_.Make();
  ASSERT_TRUE(Connect(wide));
  ASSERT_TRUE(Connect(narrow));
  EXPECT_EQ(Refused(wide, 0), 5);
  EXPECT_EQ(Refused(wide, 1), 0);
  EXPECT_EQ(PeerAt(hub_.worker, "172.16.1.200"),
            PeerAt(hub_.worker, "10.0.0.3"));
  EXPECT_EQ(PeerAt(hub_.worker, "172.16.2.200"),
            PeerAt(hub_.worker, "10.0.0.2"));
}

TEST_F(RouteChangesTest, OfALongListTheFirstLeadToTheClient) {
  hub_.Make();
  Nets behind;
  for (uint8_t i = 0; i < 40; ++i) {
    behind.push_back({{Family::kIpv4, {10, 20, i}}, 24});
  }
  TestClient& site = SiteOf("10.0.0.2/24", behind);
  ASSERT_TRUE(Connect(site));
  for (size_t i = 0; i < behind.size(); ++i) {
    EXPECT_EQ(Refused(site, i), i < routing::kMostRoutes ? 0 : 7) << i;
  }
  EXPECT_EQ(hub_.host.networks.size(), routing::kMostRoutes);
}

// A client trusts its hub with more, and not with every packet's time.
TEST_F(RouteChangesTest, OfAHubsListAFewLengthsAreTaken) {
  for (uint8_t i = 0; i < 27; ++i) {
    IpPrefix network = Prefix("fd00::/16");
    network.address.bytes[1] = i;
    network.length = static_cast<uint8_t>(16 + i);
    hub_.routing.own.push_back(network);
  }
  hub_.routing.own.push_back(Prefix("192.168.0.0/16"));
  hub_.routing.own.push_back(Prefix("fdff::/16"));
  hub_.Make();
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.host.networks.size(), ClientRoutes::kMostLengths + 2)
      << "and IPv4's, and one more of a length that is there";
  const auto& told = hub_.sessions->clients().front().routes;
  for (size_t i = 0; i < hub_.routing.own.size(); ++i) {
    const bool refused = i >= ClientRoutes::kMostLengths && i < 27;
    EXPECT_EQ(told.RefusedBy(i).has_value(), refused) << i;
  }
}

TEST_F(RouteChangesTest, AListThatCannotBeReadEndsTheSession) {
  hub_.Make();
  TestClient& client = SiteOf("10.0.0.2/24", {Prefix("10.20.0.0/16")});
  const auto ends = [&](auto message, bool from_hub) {
    EXPECT_TRUE(Connect(client));
    const Session* const before = client.session->session();
    if (before == nullptr) return false;
    const auto id = before->secrets().session_id;
    Session& sender = from_hub ? *hub_.sessions->clients().front().session
                               : const_cast<Session&>(*before);
    sender.Send(message);
    // Another takes its place.
    return Until(30 * kSecond, [&] {
      const Session* const now = client.session->session();
      return now != nullptr && client.up() && now->secrets().session_id != id;
    });
  };
  for (const bool from_hub : {false, true}) {
    EXPECT_TRUE(ends(BrokenList{{0, 0, 0, 9, 1}}, from_hub)) << from_hub;
    EXPECT_TRUE(ends(BrokenAnswer{{0, 0, 0, 1, 1, 0, 0}}, from_hub))
        << from_hub;
    // The control: what can be read is no reason, were it nonsense.
    EXPECT_FALSE(ends(BrokenList{{0, 0, 0, 9, 1, 4, 8, 1, 2, 3, 4}}, from_hub));
    EXPECT_FALSE(ends(BrokenAnswer{{0, 0, 0, 1, 1, 255, 255}}, from_hub));
  }
}

}  // namespace
}  // namespace lwt::peer
