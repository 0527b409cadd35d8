// Tunnel addresses that a hub leases to clients that have none of their own.
#include <set>
#include <string>
#include <vector>

#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using Nets = std::vector<IpPrefix>;

class LeaseTest : public SessionsTest {
 protected:
  TestClient& Asks() {
    TestClient& client = AddClient("10.0.0.200/24");  // not used
    client.leases = true;
    client.Make();
    return client;
  }
  bool Connect(const TestClient& client) {
    return Until(5 * kSecond, [&] { return client.up(); });
  }
  // The hub is another process now, with what it had written down.
  void RestartHub() {
    hub_.sessions->Close("it is restarted", net_.now_us);
    hub_.Make();
  }
  bool Refused(const TestClient& client, const char* reason) {
    return Until(5 * kSecond, [&] {
      return client.session->reason().find(reason) != std::string::npos;
    });
  }
  static config::HubConfig Reserving(const TestClient& client,
                                     const char* address) {
    return {.peers = {{.public_key = handshake::PublicKeyToText(
                           client.identity.public_key),
                       .addresses = {*ParseIpAddress(address)}}}};
  }
};

TEST_F(LeaseTest, AClientGetsAnAddressOfEachNetworkAndIsReachedByIt) {
  hub_.own = {Prefix("10.0.0.1/24"), Prefix("fd00::1/64")};
  hub_.Make();
  TestClient& client = Asks();
  ASSERT_TRUE(Connect(client));
  const Nets& leased = client.session->tunnel_addresses();
  ASSERT_EQ(leased.size(), 2u);
  EXPECT_EQ(client.host.addresses, leased);
  EXPECT_TRUE(IsHostOf(Prefix("10.0.0.1/24"), leased[0].address));
  EXPECT_EQ(leased[0].length, 24);
  EXPECT_TRUE(IsHostOf(Prefix("fd00::1/64"), leased[1].address));
  Run(kSecond / 10);
  const PeerIndex at_hub =
      PeerAt(hub_.worker, ToString(leased[0].address).c_str());
  ASSERT_NE(at_hub, PeerIndex::kNone);
  EXPECT_EQ(PeerAt(hub_.worker, ToString(leased[1].address).c_str()), at_hub);
  // It sends to the others of the network through the hub, and keeps its own.
  EXPECT_NE(PeerAt(client.worker, "10.0.0.1"), PeerIndex::kNone);
  EXPECT_EQ(PeerAt(client.worker, ToString(leased[0].address).c_str()),
            PeerIndex::kNone);
}

TEST_F(LeaseTest, NoTwoClientsGetTheSame) {
  std::vector<TestClient*> clients;
  std::set<IpAddress, host::AddressOrder> seen = {*ParseIpAddress("10.0.0.77")};
  TestClient& configured = AddClient("10.0.0.77/24");
  ASSERT_TRUE(Connect(configured));
  for (int i = 0; i < 3; ++i) clients.push_back(&Asks());
  for (TestClient* client : clients) {
    ASSERT_TRUE(Connect(*client));
    EXPECT_TRUE(
        seen.insert(client->session->tunnel_addresses()[0].address).second);
  }
}

TEST_F(LeaseTest, WhoComesBackGetsTheSame) {
  TestClient& client = Asks();
  ASSERT_TRUE(Connect(client));
  const Nets leased = client.session->tunnel_addresses();
  client.Make();  // a restart: it knows nothing
  EXPECT_TRUE(client.session->tunnel_addresses().empty());
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.session->tunnel_addresses(), leased);
  RestartHub();
  ASSERT_TRUE(Until(60 * kSecond, [&] {
    return client.up() &&
           hub_.sessions->SessionOf(client.identity.public_key) != nullptr;
  }));
  EXPECT_EQ(client.session->tunnel_addresses(), leased);
  EXPECT_EQ(client.host.addresses, leased);
}

// A client that had an address of its own keeps it when it asks for one.
TEST_F(LeaseTest, AnAddressThatIsHeldForTheKeyIsLeased) {
  TestClient& client = AddClient("10.0.0.9/24");
  ASSERT_TRUE(Connect(client));
  client.leases = true;
  client.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.session->tunnel_addresses(), Nets{Prefix("10.0.0.9/24")});
}

TEST_F(LeaseTest, WhatIsReservedForItIsLeasedAndToNobodyElse) {
  TestClient& client = Asks();
  hub_.rules = ClientRules(Reserving(client, "10.0.0.5"));
  hub_.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.session->tunnel_addresses(), Nets{Prefix("10.0.0.5/24")});
}

TEST_F(LeaseTest, ANetworkWithoutAFreeAddressIsSaid) {
  hub_.own = {Prefix("10.0.0.1/30")};
  hub_.Make();
  TestClient& first = Asks();
  ASSERT_TRUE(Connect(first));
  EXPECT_EQ(first.session->tunnel_addresses(), Nets{Prefix("10.0.0.2/30")});
  TestClient& second = Asks();
  EXPECT_TRUE(Refused(second, "no tunnel address of 10.0.0.0/30 is free"));
  // What is freed is leased.
  first.session->Close("it stops");
  hub_.sessions->Forget(first.identity.public_key, net_.now_us);
  EXPECT_TRUE(Until(60 * kSecond, [&] { return second.up(); }));
}

TEST_F(LeaseTest, ThePoolBoundsWhatIsLeased) {
  hub_.rules = ClientRules({.address_pool = {Prefix("10.0.0.128/31")}});
  hub_.Make();
  TestClient& first = Asks();
  TestClient& second = Asks();
  TestClient& third = Asks();
  ASSERT_TRUE(Connect(first) && Connect(second));
  for (TestClient* client : {&first, &second}) {
    EXPECT_TRUE(Prefix("10.0.0.128/31")
                    .Contains(client->session->tunnel_addresses()[0].address));
  }
  EXPECT_TRUE(Refused(third, "is free"));
}

// A hub that leases what is the host's own, or the way to itself, draws that
// traffic into the tunnel.
TEST_F(LeaseTest, AClientTakesNoLeaseThatIsNotATunnels) {
  const struct {
    const char* own;
    const char* reason;
  } kinds[] = {{"192.0.2.7/24", "has the hub itself in its network"},
               {"10.0.0.1/7", "of a network that is too large"},
               {"172.16.0.1/24", "overlaps 172.16.0.0/16, a network of this"}};
  TestClient& client = Asks();
  client.host.connected = {Prefix("172.16.3.4/16")};
  for (const auto& kind : kinds) {
    hub_.own = {Prefix(kind.own)};
    RestartHub();
    client.Make();
    EXPECT_TRUE(Refused(client, kind.reason)) << client.session->reason();
    EXPECT_TRUE(client.host.addresses.empty());
    EXPECT_TRUE(client.session->tunnel_addresses().empty());
  }
}

// Another lease takes the place of the one before.
TEST_F(LeaseTest, TheDeviceFollowsTheHubsNetwork) {
  TestClient& client = Asks();
  ASSERT_TRUE(Connect(client));
  hub_.own = {Prefix("10.7.0.1/16")};
  hub_.held.clear();
  RestartHub();
  ASSERT_TRUE(Until(60 * kSecond, [&] {
    return client.up() &&
           Prefix("10.7.0.1/16")
               .Contains(client.session->tunnel_addresses()[0].address);
  }));
  EXPECT_EQ(client.host.addresses, client.session->tunnel_addresses());
  Run(kSecond);
  EXPECT_NE(PeerAt(client.worker, "10.7.0.1"), PeerIndex::kNone);
  EXPECT_EQ(PeerAt(client.worker, "10.0.0.1"), PeerIndex::kNone);
}

}  // namespace
}  // namespace lwt::peer
