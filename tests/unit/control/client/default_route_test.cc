// When all traffic leads to the hub, and what goes nowhere meanwhile.
#include "control/client/default_route.h"

#include <gtest/gtest.h>

#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

using config::WhenDown;
using Prefixes = std::vector<IpPrefix>;

const Prefixes& Halves4() {
  static const auto* halves =
      new Prefixes{Prefix("0.0.0.0/1"), Prefix("128.0.0.0/1")};
  return *halves;
}
const Prefixes& Halves6() {
  static const auto* halves = new Prefixes{Prefix("::/1"), Prefix("8000::/1")};
  return *halves;
}

config::RoutingConfig Wanted(WhenDown when_down = WhenDown::kKeep) {
  config::RoutingConfig settings;
  settings.default_route = true;
  settings.when_down = when_down;
  return settings;
}

TEST(DefaultRouteTest, NothingLeadsBeforeAHubAnswered) {
  DefaultRoute all({Prefix("10.0.0.2/24")}, Wanted());
  EXPECT_FALSE(all.leads());
  EXPECT_FALSE(all.OnDown());
  EXPECT_TRUE(all.ToHub().empty());
  EXPECT_TRUE(all.Nowhere().empty());
  EXPECT_TRUE(all.OnUp());
  EXPECT_EQ(all.ToHub(), Halves4());
  EXPECT_EQ(all.Nowhere(), Halves6()) << "and not beside the tunnel";
  EXPECT_FALSE(all.OnUp()) << "nothing new";
}

TEST(DefaultRouteTest, AFamilyOfTheTunnelGoesThroughIt) {
  DefaultRoute both({Prefix("10.0.0.2/24"), Prefix("fd00::2/64")}, Wanted());
  ASSERT_TRUE(both.OnUp());
  EXPECT_EQ(both.ToHub().size(), 4u);
  EXPECT_TRUE(both.Nowhere().empty());
  DefaultRoute six({Prefix("fd00::2/64")}, Wanted());
  ASSERT_TRUE(six.OnUp());
  EXPECT_EQ(six.ToHub(), Halves6());
  EXPECT_EQ(six.Nowhere(), Halves4());
}

TEST(DefaultRouteTest, WhileNoHubAnswersItStaysOrGoesAsItIsSet) {
  DefaultRoute keep({Prefix("10.0.0.2/24")}, Wanted());
  ASSERT_TRUE(keep.OnUp());
  EXPECT_FALSE(keep.OnDown());
  EXPECT_TRUE(keep.leads());
  EXPECT_TRUE(keep.Apply(Wanted(WhenDown::kRelease))) << "it is away now";
  EXPECT_FALSE(keep.leads());
  EXPECT_TRUE(keep.OnUp());
  EXPECT_TRUE(keep.OnDown());
  EXPECT_TRUE(keep.Nowhere().empty()) << "IPv6 is as it was, too";
  EXPECT_TRUE(keep.Apply(Wanted()));
  EXPECT_TRUE(keep.Apply({}));
  EXPECT_FALSE(keep.leads());
  EXPECT_FALSE(keep.OnUp());
}

TEST(DefaultRouteTest, WithoutTheSettingNothingEverLeads) {
  DefaultRoute none({Prefix("10.0.0.2/24")}, {});
  EXPECT_FALSE(none.OnUp());
  EXPECT_FALSE(none.OnDown());
  EXPECT_TRUE(none.ToHub().empty());
  EXPECT_TRUE(none.Apply(Wanted())) << "a hub was met, and it is to be kept";
  EXPECT_EQ(none.ToHub(), Halves4());
}

// Of a client and its hub in memory.
class AllTrafficTest : public SessionsTest {
 protected:
  TestClient& Client(WhenDown when_down) {
    TestClient& client = AddClient("10.0.0.2/24");
    client.routing = Wanted(when_down);
    client.Make();
    hub_.Make();
    EXPECT_TRUE(client.host.networks.empty());
    EXPECT_TRUE(Until(5 * kSecond, [&] { return client.up(); }));
    Run(kSecond);
    return client;
  }
};

TEST_F(AllTrafficTest, WorkersSendAllToTheHubAndTheOtherFamilyNowhere) {
  TestClient& client = Client(WhenDown::kKeep);
  EXPECT_EQ(client.host.networks.size(), 4u);
  const PeerIndex hub = PeerAt(client.worker, "10.0.0.1");
  for (const char* text : {"1.1.1.1", "198.51.100.7", "203.0.113.1"}) {
    EXPECT_EQ(PeerAt(client.worker, text), hub) << text;
  }
  EXPECT_EQ(PeerAt(client.worker, "2001:db8::1"), RouteTable::kAbsent);
  EXPECT_EQ(PeerAt(client.worker, "fe00::1"), RouteTable::kAbsent);
  // Another setting, while it is up.
  client.session->Apply({.routing = {},
                         .hubs = {{{"hub.test", 9000}, std::nullopt}},
                         .offered_mtu = 1400},
                        net_.now_us);
  Run(kSecond);
  EXPECT_TRUE(client.host.networks.empty());
  EXPECT_EQ(PeerAt(client.worker, "1.1.1.1"), PeerIndex::kNone);
  EXPECT_EQ(PeerAt(client.worker, "2001:db8::1"), PeerIndex::kNone);
}

TEST_F(AllTrafficTest, KeptItGoesNowhereWhileTheHubIsAway) {
  TestClient& client = Client(WhenDown::kKeep);
  ASSERT_EQ(client.host.networks.size(), 4u);
  hub_.Kill();
  EXPECT_FALSE(
      Until(120 * kSecond, [&] { return client.host.networks.size() != 4; }));
  EXPECT_FALSE(client.up());
}

TEST_F(AllTrafficTest, ReleasedItIsBackWithTheHub) {
  TestClient& client = Client(WhenDown::kRelease);
  ASSERT_EQ(client.host.networks.size(), 4u);
  hub_.Kill();
  ASSERT_TRUE(
      Until(120 * kSecond, [&] { return client.host.networks.empty(); }));
  hub_.Make();
  ASSERT_TRUE(Until(120 * kSecond, [&] { return client.up(); }));
  Run(kSecond);
  EXPECT_EQ(client.host.networks.size(), 4u);
}

// The hub's name is asked for through the tunnel, whose end does not answer.
TEST_F(AllTrafficTest, ANameThatLiesBehindTheTunnelIsNotWaitedFor) {
  TestClient& client = Client(WhenDown::kKeep);
  hub_.Kill();
  ASSERT_TRUE(Until(120 * kSecond, [&] { return !client.up(); }));
  client.answers_names = false;
  hub_.Make();
  ASSERT_TRUE(Until(40 * kSecond, [&] { return client.up(); }));
  EXPECT_EQ(client.host.networks.size(), 4u);
}

}  // namespace
}  // namespace lwt::peer
