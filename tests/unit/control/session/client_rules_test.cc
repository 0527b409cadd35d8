// What a hub's settings say of single clients, at its start and when they
// change while the clients are there.
#include "control/hub/client_rules.h"

#include "control/hub/hub_report.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

class ClientRulesTest : public SessionsTest {
 protected:
  static config::PeerEntry EntryOf(const TestClient& client, std::string name) {
    return {
        .public_key = handshake::PublicKeyToText(client.identity.public_key),
        .name = std::move(name)};
  }
  void Apply(const config::HubConfig& config) {
    HubSessions::Settings settings{.max_clients = 4, .offered_mtu = 1409};
    settings.routing.settings = hub_.routing;
    settings.rules = ClientRules(config);
    hub_.sessions->Apply(settings, net_.now_us);
  }
  bool Connect(const TestClient& client) {
    return Until(5 * kSecond, [&] { return client.up(); });
  }
  bool IsIsolated(const char* address) const {
    return hub_.worker.published->IsIsolated(PeerAt(hub_.worker, address));
  }
  std::string NameOf(const TestClient& client) {
    return hub_.sessions->SessionOf(client.identity.public_key)->name();
  }
};

TEST_F(ClientRulesTest, EntriesAreFoundByKeyAndByName) {
  TestClient& client = AddClient("10.0.0.2/24");
  TestClient& other = AddClient("10.0.0.3/24");
  const handshake::PublicKey& key = client.identity.public_key;
  config::HubConfig config{.peers = {EntryOf(client, "office")}};
  const ClientRules rules(config);
  EXPECT_EQ(rules.NameOf(key), "office");
  EXPECT_EQ(rules.KeyOf("office"), key);
  EXPECT_EQ(rules.NameOf(other.identity.public_key), "");
  EXPECT_EQ(rules.KeyOf(""), std::nullopt);
  EXPECT_FALSE(rules.IsIsolated(key));
  config.client_isolation = true;
  EXPECT_TRUE(ClientRules(config).IsIsolated(other.identity.public_key));
}

TEST_F(ClientRulesTest, AClientIsCalledByItsNameOnceItHasOne) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(NameOf(client), "client 10.0.0.2");
  Apply({.peers = {EntryOf(client, "office")}});
  EXPECT_EQ(NameOf(client), "client office 10.0.0.2");
  telemetry::Status status;
  ReportClients(*hub_.sessions, net_.now_us, status);
  ASSERT_EQ(status.peers.size(), 1u);
  EXPECT_EQ(status.peers[0].name, "office");
  Apply({});
  EXPECT_EQ(NameOf(client), "client 10.0.0.2");
}

TEST_F(ClientRulesTest, WhoIsIsolatedIsSoAtOnceAndWhenItComesLater) {
  TestClient& first = AddClient("10.0.0.2/24");
  TestClient& second = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Connect(first));
  config::HubConfig config{.peers = {EntryOf(first, ""), EntryOf(second, "")}};
  for (config::PeerEntry& entry : config.peers) entry.isolated = true;
  Apply(config);
  Run(kSecond / 10);
  EXPECT_TRUE(IsIsolated("10.0.0.2"));
  ASSERT_TRUE(Connect(second));
  EXPECT_TRUE(IsIsolated("10.0.0.3"));
  config.peers[0].isolated = false;
  Apply(config);
  Run(kSecond / 10);
  EXPECT_FALSE(IsIsolated("10.0.0.2"));
  EXPECT_TRUE(IsIsolated("10.0.0.3"));
}

// Neither is told of what lies behind the other, nor does it tell it.
TEST_F(ClientRulesTest, NetworksBehindClientsAreNotToldToIsolatedOnes) {
  TestClient& first = AddClient("10.0.0.2/24");
  first.routing.own = {Prefix("192.168.2.0/24")};
  first.Make();
  TestClient& second = AddClient("10.0.0.3/24");
  second.routing.own = {Prefix("192.168.3.0/24")};
  second.Make();
  ASSERT_TRUE(Connect(first) && Connect(second));
  const auto told = [](const TestClient& client) {
    return client.session->routes().exchange().list().networks;
  };
  Run(3 * kSecond);
  EXPECT_EQ(told(first), std::vector{Prefix("192.168.3.0/24")});
  config::HubConfig config{.peers = {EntryOf(first, "")}};
  config.peers[0].isolated = true;
  Apply(config);
  Run(3 * kSecond);
  EXPECT_TRUE(told(first).empty());
  EXPECT_TRUE(told(second).empty());
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.3.1"), PeerAt(hub_.worker, "10.0.0.3"))
      << "the hub still reaches it";
}

TEST_F(ClientRulesTest, AReservedAddressIsNobodyElses) {
  TestClient& owner = AddClient("10.0.0.2/24");
  TestClient& thief = AddClient("10.0.0.2/24");
  config::PeerEntry entry = EntryOf(owner, "");
  entry.addresses = {Prefix("10.0.0.2/24").address};
  hub_.rules = ClientRules({.peers = {entry}});
  hub_.Make();
  EXPECT_FALSE(Until(3 * kSecond, [&] { return thief.up(); }));
  EXPECT_NE(thief.session->reason().find("reserved"), std::string::npos)
      << thief.session->reason();
  EXPECT_TRUE(Connect(owner));
}

// Who had it goes, and does not come again by that address.
TEST_F(ClientRulesTest, AnAddressThatIsReservedLaterIsTakenFromWhoHasIt) {
  TestClient& thief = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Connect(thief));
  TestClient& owner = AddClient("10.0.0.2/24");
  config::PeerEntry entry = EntryOf(owner, "");
  entry.addresses = {Prefix("10.0.0.2/24").address};
  Apply({.peers = {entry}});
  ASSERT_TRUE(Connect(owner));
  EXPECT_FALSE(thief.up());
  // So does what the state directory keeps, at the next start.
  hub_.sessions->Close("it is restarted", net_.now_us);
  entry.public_key = handshake::PublicKeyToText(thief.identity.public_key);
  hub_.rules = ClientRules({.peers = {entry}});
  hub_.Make();
  EXPECT_TRUE(Until(60 * kSecond, [&] { return thief.up(); }));
}

}  // namespace
}  // namespace lwt::peer
