// Name servers that a hub names to its clients, and when a client's host is to
// ask them.
#include <gtest/gtest.h>

#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using handshake::DnsMessage;

DnsMessage Names(const char* server) {
  return {.servers = {*ParseIpAddress(server)}, .domains = {"corp.example"}};
}

// The bytes of a message, as nobody builds them.
struct BrokenNames {
  static constexpr auto kType = handshake::ControlType::kDns;
  static bool kUnderstoodBy(const handshake::PeerOffer&) { return true; }
  handshake::ByteVector bytes;

  handshake::ByteVector Build() const { return bytes; }
  static std::optional<BrokenNames> Parse(handshake::ByteSpan) { return {}; }
};

class DnsTest : public SessionsTest {
 protected:
  TestClient& Accepting(const char* address) {
    TestClient& client = AddClient(address);
    client.routing.accept_dns = true;
    client.Make();
    return client;
  }
  bool Connect(const TestClient& client) {
    const bool up = Until(60 * kSecond, [&] {
      return client.up() &&
             hub_.sessions->SessionOf(client.identity.public_key) != nullptr;
    });
    Run(2 * kSecond);
    return up;
  }
  void Name(const DnsMessage& names) {
    HubSessions::Settings settings{.max_clients = 4, .offered_mtu = 1409};
    settings.multi_client = true;
    settings.names = names;
    settings.tell_interval_us = hub_.tell_interval_us;
    hub_.sessions->Apply(settings, net_.now_us);
    Run(2 * kSecond);
  }
};

TEST_F(DnsTest, AClientThatAcceptsAsksThemAndAnotherDoesNot) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& takes = Accepting("10.0.0.2/24");
  TestClient& other = AddClient("10.0.0.3/24");
  ASSERT_TRUE(Connect(takes));
  ASSERT_TRUE(Connect(other));
  EXPECT_EQ(takes.names, std::vector{Names("10.0.0.1")});
  EXPECT_TRUE(other.names.empty());
  EXPECT_EQ(other.session->dns().offered(), Names("10.0.0.1"));
  // Changes go at once, also to none.
  Name(Names("10.0.0.7"));
  Name({});
  ASSERT_EQ(takes.names.size(), 3u);
  EXPECT_EQ(takes.names[1], Names("10.0.0.7"));
  EXPECT_EQ(takes.names[2], DnsMessage());
  EXPECT_TRUE(other.names.empty());
}

TEST_F(DnsTest, TheSettingIsLive) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  for (const bool accept : {true, false}) {
    client.names.clear();
    client.session->Apply({.routing = {.accept_dns = accept},
                           .hubs = client.Hubs(),
                           .offered_mtu = 1400},
                          net_.now_us);
    EXPECT_EQ(client.names,
              std::vector{accept ? Names("10.0.0.1") : DnsMessage()});
  }
}

TEST_F(DnsTest, NothingIsSaidToOneThatDoesNotUnderstand) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = AddClient("10.0.0.2/24");
  client.routing.accept_dns = true;
  client.features = handshake::kOwnFeatures & ~handshake::kFeatureDns;
  client.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_TRUE(client.names.empty());
  EXPECT_EQ(client.session->dns().offered(), DnsMessage());
}

// The hub's own name is to be found, wherever it has gone.
TEST_F(DnsTest, WhileNoHubAnswersTheHostAsksAsBefore) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  hub_.Kill();
  client.worker.SendData();
  ASSERT_TRUE(Until(120 * kSecond,
                    [&] { return client.names.back() == DnsMessage(); }));
  hub_.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.names.back(), Names("10.0.0.1"));
}

TEST_F(DnsTest, WithAllTrafficInTheTunnelNamesStayThereToo) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  client.routing.default_route = true;
  client.Make();
  ASSERT_TRUE(Connect(client));
  hub_.Kill();
  client.worker.SendData();
  ASSERT_TRUE(Until(120 * kSecond, [&] {
    return client.session->reason().find("next") != std::string::npos ||
           client.session->state() == "down";
  }));
  Run(60 * kSecond);
  EXPECT_EQ(client.names, std::vector{Names("10.0.0.1")});
}

// The look-up may be asked of a server behind the dead tunnel, which is no
// reason to wait for it.
TEST_F(DnsTest, AHubIsCalledWhereItWasWhileItsNameIsAskedThroughTheTunnel) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  Run(20 * kSecond);
  client.answers_names = false;
  hub_.sessions->Close("a restart", net_.now_us);
  hub_.Make();
  EXPECT_TRUE(Until(5 * kSecond, [&] {
    return client.up() &&
           hub_.sessions->SessionOf(client.identity.public_key) != nullptr;
  }));
}

// What was said by the one before is not kept for one that says nothing.
TEST_F(DnsTest, AHubOfBeforeNamesNone) {
  hub_.names = Names("10.0.0.1");
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  hub_.sessions->Close("another version", net_.now_us);
  hub_.features = handshake::kOwnFeatures & ~handshake::kFeatureDns;
  hub_.names = {};
  hub_.Make();
  ASSERT_TRUE(Connect(client));
  EXPECT_EQ(client.names.back(), DnsMessage());
  EXPECT_EQ(client.session->dns().offered(), DnsMessage());
}

TEST_F(DnsTest, WhatAClientLostIsThereAgainAfterOneInterval) {
  hub_.names = Names("10.0.0.1");
  hub_.tell_interval_us = 50 * kSecond;
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  const_cast<ClientDns&>(client.session->dns()).OnNoneTold();
  Run(20 * kSecond);
  EXPECT_EQ(client.session->dns().offered(), DnsMessage());
  Run(30 * kSecond);
  EXPECT_EQ(client.session->dns().offered(), Names("10.0.0.1"));
}

// It keeps the session that it would come back with.
TEST_F(DnsTest, OneThatIsSilentIsNotToldWithoutEnd) {
  hub_.tell_interval_us = kSecond;
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  net_.path_up = false;
  Run(70 * kSecond);
  const Session* const session =
      hub_.sessions->SessionOf(client.identity.public_key);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->end_reason(), "");
  EXPECT_TRUE(session->AwaitsAcknowledgement());
}

// More than it may name, or no domain: as with all that is no message.
TEST_F(DnsTest, AHubThatBreaksTheProtocolIsLeft) {
  hub_.Make();
  TestClient& client = Accepting("10.0.0.2/24");
  ASSERT_TRUE(Connect(client));
  const auto id = client.session->session()->secrets().session_id;
  hub_.sessions->SessionOf(client.identity.public_key)
      ->Send(BrokenNames{{0, 1, 3, 'a', '\n', 'b'}});
  EXPECT_TRUE(Until(30 * kSecond, [&] {
    const Session* const now = client.session->session();
    return now != nullptr && now->secrets().session_id != id;
  }));
  EXPECT_TRUE(client.names.empty());
}

}  // namespace
}  // namespace lwt::peer
