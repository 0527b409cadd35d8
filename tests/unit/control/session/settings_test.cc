// Settings and shared keys that change while sessions are up.
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using SettingsTest = SessionsTest;

TEST_F(SettingsTest, AHubTakesOtherSettingsWhileItsClientsLive) {
  TestClient& first = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return first.up(); }));
  const PeerIndex to_first = PeerAt(hub_.worker, "10.0.0.2");
  HubSessions::Settings settings{.max_clients = 1, .offered_mtu = 1300};
  settings.routing.granted[first.identity.public_key] = {
      Prefix("192.168.2.0/24")};
  hub_.sessions->Apply(settings, net_.now_us);
  TestClient& second = AddClient("10.0.0.3/24");
  EXPECT_FALSE(Until(3 * kSecond, [&] { return second.up(); }));
  EXPECT_NE(second.session->reason().find("max_clients"), std::string::npos);
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.2.1"), to_first);
  // More than it has places for are not served.
  settings.max_clients = 1000;
  settings.routing.granted.clear();
  hub_.sessions->Apply(settings, net_.now_us);
  ASSERT_TRUE(Until(5 * kSecond, [&] { return second.up(); }));
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.2.1"), PeerIndex::kNone);
  EXPECT_EQ(second.session->session()->secrets().mtu, 1300);
  EXPECT_EQ(first.session->session()->secrets().mtu, 1400);
  // Others than the one it has are refused from now on; none is sent away.
  settings.multi_client = false;
  hub_.sessions->Apply(settings, net_.now_us);
  TestClient& third = AddClient("10.0.0.4/24");
  EXPECT_FALSE(Until(3 * kSecond, [&] { return third.up(); }));
  EXPECT_NE(third.session->reason().find("multi_client"), std::string::npos);
  EXPECT_TRUE(first.up() && second.up());
}

TEST_F(SettingsTest, AClientTakesOtherSettingsWhileItLives) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  ClientSession::Settings settings{
      .routing = {.own = {Prefix("192.168.1.0/24")}},
      .hubs = {{{"hub.test", 9000}, handshake::GenerateStaticKey().public_key}},
      .server_name = "cdn.example.net",
      .offered_mtu = 1300};
  settings.rekey.interval_us = 5 * kSecond;
  const uint32_t epoch = client.session->session()->send_epoch();
  client.session->Apply(settings, net_.now_us);
  EXPECT_TRUE(Until(7 * kSecond, [&] {
    return client.session->session()->send_epoch() > epoch;
  }));
  EXPECT_EQ(PeerAt(hub_.worker, "192.168.1.7"),
            PeerAt(hub_.worker, "10.0.0.2"));
  EXPECT_TRUE(client.up());
  // The next connection takes the rest: the hub has not that key.
  hub_.sessions->Close("it is restarted", net_.now_us);
  hub_.Make();
  EXPECT_TRUE(
      Until(20 * kSecond, [&] { return !client.changed_keys.empty(); }));
  // What is set right is tried at once.
  settings.hubs[0].key = hub_.identity.public_key;
  client.session->Apply(settings, net_.now_us);
  ASSERT_TRUE(Until(kSecond / 2, [&] { return client.up(); }));
  EXPECT_EQ(client.session->session()->secrets().mtu, 1300);
}

// The key is changed at the hub first.
TEST_F(SettingsTest, AClientWithTheKeyBeforeComesInForItsTime) {
  constexpr uint64_t kGrace = 3600 * kSecond;
  TestClient& up = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return up.up(); }));
  hub_.keys.SetNow(TestPsk(2), net_.now_us, kGrace);
  EXPECT_TRUE(TrafficWithin(up, kSecond));
  // Its session goes on: a new flow is joined by the mask of its key.
  const uint64_t id = up.session->session()->secrets().session_id;
  net_.dead_ports.insert(40000);
  EXPECT_TRUE(TrafficWithin(up, 10 * kSecond));
  EXPECT_EQ(up.session->session()->secrets().session_id, id);
  net_.dead_ports.clear();
  TestClient& old = AddClient("10.0.0.3/24");
  TestClient& current = AddClient("10.0.0.4/24", 2);
  EXPECT_TRUE(Until(kSecond, [&] { return old.up() && current.up(); }));
  // Then it is over, for who comes; who is there stays.
  hub_.keys.Expire(net_.now_us + kGrace);
  TestClient& late = AddClient("10.0.0.5/24");
  EXPECT_FALSE(Until(5 * kSecond, [&] { return late.up(); }));
  EXPECT_TRUE(TrafficWithin(up, kSecond));
  EXPECT_TRUE(TrafficWithin(current, kSecond));
}

// The key is changed at the client first: the hub does not know it yet.
TEST_F(SettingsTest, AClientTriesTheKeyBeforeAsWell) {
  TestClient& client = AddClient("10.0.0.2/24");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  client.keys.SetNow(TestPsk(2), net_.now_us, 3600 * kSecond);
  EXPECT_TRUE(TrafficWithin(client, kSecond));
  hub_.sessions->Close("it is restarted", net_.now_us);
  hub_.Make();
  ASSERT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
  // And the new one once the hub has it.
  hub_.keys.SetNow(TestPsk(2), net_.now_us, 0);
  hub_.sessions->Close("it is restarted", net_.now_us);
  hub_.Make();
  EXPECT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
}

}  // namespace
}  // namespace lwt::peer
