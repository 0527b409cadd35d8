// What a hub's settings say of single clients, at its start and when they
// change while the clients are there.
#include "control/hub/client_rules.h"

#include "control/hub/hub_report.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

class ClientRulesTest : public SessionsTest {
 protected:
  static constexpr uint64_t kInterleaveUs = 7'000;

  static config::PeerEntry EntryOf(const TestClient& client, std::string name) {
    return {
        .public_key = handshake::PublicKeyToText(client.identity.public_key),
        .name = std::move(name)};
  }
  void Apply(const config::HubConfig& config) {
    HubSessions::Settings settings{.max_clients = 4, .offered_mtu = 1409};
    settings.routing.settings = hub_.routing;
    settings.rules = ClientRules(config, kInterleaveUs);
    hub_.sessions->Apply(settings, net_.now_us);
  }
  bool Connect(const TestClient& client) {
    return Until(5 * kSecond, [&] { return client.up(); });
  }
  bool IsIsolated(const char* address) const {
    return hub_.worker.published->IsIsolated(PeerAt(hub_.worker, address));
  }
  // Of the newest lane to the client with this address.
  PeerTuning TuningOf(const char* address) {
    const PeerIndex peer = PeerAt(hub_.worker, address);
    PeerTuning tuning;
    uint64_t newest = 0;
    for (const auto& [name, lane] : hub_.worker.lanes) {
      if (lane.peer != peer || lane.flow.value < newest) continue;
      newest = lane.flow.value;
      tuning = lane.tuning;
    }
    EXPECT_NE(newest, 0u) << address;
    return tuning;
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

// What is set for one client counts for its lanes that are and that come, and
// for nobody else's.
TEST_F(ClientRulesTest, WhatIsSetForAClientItsLanesHave) {
  TestClient& first = AddClient("10.0.0.2/24");
  TestClient& second = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Connect(first));
  EXPECT_EQ(TuningOf("10.0.0.2"), PeerTuning());
  config::HubConfig config{.peers = {EntryOf(first, ""), EntryOf(second, "")}};
  config.peers[0].rate = config::BitRate{8'000'000};
  config.peers[0].rate_in = config::BitRate{0};
  config.peers[1].fec = config::FecChoice{fec::Mode::kFixed, {8, 6, 1}};
  Apply(config);
  ASSERT_TRUE(Connect(second));
  EXPECT_EQ(TuningOf("10.0.0.2"),
            (PeerTuning{.fec = {}, .rate = 1'000'000, .rate_in = 0}));
  const PeerTuning of_second = TuningOf("10.0.0.3");
  ASSERT_TRUE(of_second.fec);
  EXPECT_EQ(*of_second.fec,
            (fec::Settings{fec::Mode::kFixed, {8, 6, 1}, kInterleaveUs}));
  EXPECT_FALSE(of_second.rate || of_second.rate_in);
  telemetry::Status status;
  ReportClients(*hub_.sessions, net_.now_us, status);
  ASSERT_EQ(status.peers.size(), 2u);
  EXPECT_EQ(status.peers[0].reading.rate, 8'000'000u);
  EXPECT_EQ(status.peers[0].reading.rate_in, 0u);
  EXPECT_EQ(status.peers[1].reading.rate, kNoValue) << "that of all";
  Apply({});
  EXPECT_EQ(TuningOf("10.0.0.2"), PeerTuning());
  EXPECT_EQ(TuningOf("10.0.0.3"), PeerTuning());
}

// A client that is away and comes again, by another flow.
TEST_F(ClientRulesTest, WhatIsSetForAClientItHasAgainWhenItComesBack) {
  TestClient& client = AddClient("10.0.0.2/24");
  config::HubConfig config{.peers = {EntryOf(client, "")}};
  config.peers[0].rate = config::BitRate{8'000'000};
  Apply(config);
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(TuningOf("10.0.0.2").rate, 1'000'000u);
  client.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(TuningOf("10.0.0.2").rate, 1'000'000u);
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
