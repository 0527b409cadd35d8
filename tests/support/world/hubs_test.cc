// A client with several hubs, each a whole gateway, in fake time: which one it
// is at, how long a loss takes, and what moves it and what does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/client/client_attempt.h"
#include "tests/support/world/nat_lab.h"
#include "tests/support/world/traffic.h"
#include "tests/support/world/world.h"
#include "tests/unit/control/base/log_lines.h"

namespace lwt::world {
namespace {

constexpr uint64_t kEachUs = kSecond / 10;
// A hub that is silent is left after one attempt (docs/operations.md, "Two
// hubs"), and handshakes take round trips.
constexpr uint64_t kAttemptUs = peer::ClientAttempt::kTimeoutUs;
constexpr uint64_t kHandshakeUs = kSecond;
// That a path in use is dead is known within this time.
constexpr uint64_t kNoticeUs = 10 * kSecond;
constexpr uint64_t kMoveUs = kNoticeUs + kAttemptUs + kHandshakeUs;
constexpr uint64_t kEndUs = 40 * kSecond;

class HubsTest : public testing::Test {
 protected:
  // Hubs 0, 1, … at 192.0.2.1, .2, …, all with the same tunnel network.
  void AddHubs(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      GatewayOptions hub;
      hub.outer = At("192.0.2." + std::to_string(i + 1), 443);
      hub.inner = *ParseIpPrefix("10.0.0.1/24");
      named_.push_back(NamedAs(i, world_.AddHub(hub)));
    }
  }
  static std::string NameOf(size_t hub) {
    return std::string(1, static_cast<char>('a' + hub)) + ".example";
  }
  static NamedHub NamedAs(size_t number, const HubGateway& hub) {
    return {{{NameOf(number), 443},
             hub.identity().public_key,
             handshake::PinnedBy::kEntry},
            {hub.options().outer}};
  }
  // With the hubs as `named_` has them.
  ClientGateway& AddClient() {
    GatewayOptions client;
    client.outer = *ParseEndpoint("198.51.100.1:40000");
    client.inner = *ParseIpPrefix("10.0.0.2/24");
    client.named_hubs = named_;
    client.hubs = named_.front().endpoints;
    if (client.hubs.empty()) client.hubs = {At("192.0.2.1", 443)};
    return world_.AddClient(client);
  }
  ClientGateway& client() { return *world_.clients().front(); }

  bool IsAt(size_t hub) {
    return client().up() &&
           client().session()->hub().address.host == NameOf(hub) &&
           world_.hubs()[hub] != nullptr && world_.hubs()[hub]->clients() == 1;
  }
  bool ComesTo(size_t hub, uint64_t within_us) {
    return world_.RunUntil([&] { return IsAt(hub); }, within_us);
  }
  // The same with packets both ways all along, of which one passes each way.
  bool CarriesTo(size_t hub, uint64_t within_us) {
    const uint64_t until_us = world_.now_us() + within_us;
    while (world_.now_us() < until_us) {
      HubGateway* const at = world_.hubs()[hub].get();
      if (IsAt(hub)) traffic_.Mark();
      traffic_.Send(client(), Address("10.0.0.1"), 84);
      if (at != nullptr) traffic_.Send(*at, Address("10.0.0.2"), 84);
      world_.RunTo(world_.now_us() + kEachUs);
      EXPECT_TRUE(traffic_.TakeAll());
      if (at != nullptr && IsAt(hub) && traffic_.Passed(client(), *at) &&
          traffic_.Passed(*at, client())) {
        return true;
      }
    }
    return false;
  }
  void ExpectCleanEnd() {
    world_.Close();
    world_.RunTo(world_.now_us() + kEndUs);
    EXPECT_TRUE(traffic_.TakeAll());
    EXPECT_EQ(world_.Leftovers(), "");
    EXPECT_FALSE(world_.spun());
  }
  const std::string& failures() {
    return client().session()->hubs().failures();
  }

  loop::LogLines lines_;
  World world_{1, true, lines_.fd()};
  Traffic traffic_{world_};
  std::vector<NamedHub> named_;
};

TEST_F(HubsTest, TheFirstOneIsTakenWhereAllAnswer) {
  AddHubs(3);
  AddClient();
  ASSERT_TRUE(ComesTo(0, kHandshakeUs));
  EXPECT_EQ(failures(), "");
  world_.RunTo(world_.now_us() + 60 * kSecond);
  EXPECT_TRUE(IsAt(0));
  EXPECT_EQ(client().questions().size(), 1u) << "no other one is asked for";
  EXPECT_EQ(world_.hubs()[1]->clients() + world_.hubs()[2]->clients(), 0u);
  ExpectCleanEnd();
}

TEST_F(HubsTest, OneThatIsSilentIsFollowedByTheNextWithoutAPause) {
  AddHubs(2);
  world_.KillHub(0);
  AddClient();
  EXPECT_FALSE(ComesTo(1, kAttemptUs));
  ASSERT_TRUE(ComesTo(1, kHandshakeUs));
  EXPECT_NE(failures().find("a.example:443: "), std::string::npos)
      << failures();
  EXPECT_NE(failures().find("192.0.2.1:443"), std::string::npos);
  EXPECT_NE(lines_.Take().find("tunnel up: session with 192.0.2.2:443, inner "
                               "MTU 1409, hub b.example:443; not "
                               "a.example:443: "),
            std::string::npos);
  EXPECT_TRUE(CarriesTo(1, kSecond));
  ExpectCleanEnd();
}

TEST_F(HubsTest, ANameThatIsNotFoundCostsNoTime) {
  AddHubs(2);
  named_[0].endpoints.clear();
  AddClient();
  ASSERT_TRUE(ComesTo(1, kHandshakeUs));
  EXPECT_EQ(failures(), "a.example:443: a.example is no host");
  ExpectCleanEnd();
}

// An attacker who holds the address of one hub, and even another hub's key.
TEST_F(HubsTest, OneWithAnotherKeyIsRefusedAndTheNextOneTaken) {
  AddHubs(3);
  world_.KillHub(0);
  named_[1].target.key = named_[2].target.key;
  AddClient();
  ASSERT_TRUE(ComesTo(2, kAttemptUs + 2 * kHandshakeUs));
  EXPECT_EQ(world_.hubs()[1]->clients(), 0u);
  EXPECT_NE(failures().find("; b.example:443: "), std::string::npos)
      << failures();
  EXPECT_TRUE(CarriesTo(2, kSecond));
  ExpectCleanEnd();
}

TEST_F(HubsTest, TheNextOneTakesOverAndKeepsTheClient) {
  AddHubs(2);
  AddClient();
  ASSERT_TRUE(CarriesTo(0, kHandshakeUs));
  world_.KillHub(0);
  ASSERT_TRUE(CarriesTo(1, kMoveUs));
  EXPECT_NE(failures().find("a.example:443: "), std::string::npos);
  // That the first one is back is no reason to leave.
  world_.RestartHub(0);
  world_.RunTo(world_.now_us() + 120 * kSecond);
  EXPECT_TRUE(IsAt(1));
  EXPECT_EQ(world_.hubs()[0]->clients(), 0u);
  // The loss of the second one is.
  world_.KillHub(1);
  ASSERT_TRUE(CarriesTo(0, kMoveUs));
  ExpectCleanEnd();
}

// All clients of a hub that is restarted would move at once.
TEST_F(HubsTest, OneThatIsRestartedHasItsClientBack) {
  AddHubs(3);
  world_.KillHub(0);
  AddClient();
  ASSERT_TRUE(CarriesTo(1, kAttemptUs + kHandshakeUs + kSecond));
  world_.RestartHub(0);  // the first in the order is there for all that follows
  world_.RunTo(world_.now_us() + 20 * kSecond);
  world_.KillHub(1);
  world_.RestartHub(1);
  ASSERT_TRUE(CarriesTo(1, kNoticeUs + 2 * kHandshakeUs));
  EXPECT_EQ(world_.hubs()[0]->clients() + world_.hubs()[2]->clients(), 0u);
  // One that says goodbye is back in time as well.
  world_.RunTo(world_.now_us() + 20 * kSecond);
  world_.hubs()[1]->Close();
  world_.KillHub(1);
  world_.RestartHub(1);
  ASSERT_TRUE(CarriesTo(1, kNoticeUs + 2 * kHandshakeUs));
  EXPECT_EQ(world_.hubs()[0]->clients() + world_.hubs()[2]->clients(), 0u);
  ExpectCleanEnd();
}

// A path that is bad for a while, at a hub that lives: the session is joined
// again, and no other hub hears of it.
TEST_F(HubsTest, AShortOutageOfThePathMovesNobody) {
  AddHubs(2);
  AddClient();
  ASSERT_TRUE(CarriesTo(0, kHandshakeUs));
  const uint64_t session = client().session()->session()->secrets().session_id;
  const IpAddress first = At("192.0.2.1", 443).address;
  Impairment cut;
  cut.to.loss = 1;
  cut.from.loss = 1;
  world_.network().Impair(first, cut);
  const uint64_t end_us = world_.now_us() + 8 * kSecond;
  while (world_.now_us() < end_us) {
    traffic_.Send(client(), Address("10.0.0.1"), 84);
    world_.RunTo(world_.now_us() + kEachUs);
  }
  EXPECT_FALSE(client().up());
  world_.network().Impair(first, {});
  ASSERT_TRUE(CarriesTo(0, kAttemptUs));
  EXPECT_EQ(client().session()->session()->secrets().session_id, session);
  EXPECT_EQ(world_.hubs()[1]->clients(), 0u);
  ExpectCleanEnd();
}

// The address changed and the resolver is not there yet: the session knows
// where its hub is.
TEST_F(HubsTest, ASessionThatStandsNeedsNoName) {
  AddHubs(2);
  AddClient();
  ASSERT_TRUE(CarriesTo(0, kHandshakeUs));
  const uint64_t session = client().session()->session()->secrets().session_id;
  client().Rename(NameOf(0), {});
  world_.network().Impair(client().options().outer.address,
                          {.to = {.loss = 1}, .from = {.loss = 1}});
  traffic_.Send(client(), Address("10.0.0.1"), 84);
  ASSERT_TRUE(world_.RunUntil([&] { return !client().up(); }, kNoticeUs));
  world_.network().Impair(client().options().outer.address, {});
  ASSERT_TRUE(CarriesTo(0, kAttemptUs));
  EXPECT_EQ(client().session()->session()->secrets().session_id, session);
  EXPECT_GE(client().questions().size(), 2u) << "it was asked for, in vain";
  ExpectCleanEnd();
}

// Pauses are between rounds, each hub is called once a round, and the pauses
// grow by the round and not by the hub.
TEST_F(HubsTest, WhereNoneAnswersPausesGrowByTheRound) {
  AddHubs(3);
  for (NamedHub& hub : named_) hub.endpoints.clear();
  AddClient();
  constexpr size_t kRounds = 7;
  ASSERT_TRUE(world_.RunUntil(
      [&] { return client().questions().size() == 3 * kRounds; },
      300 * kSecond));
  const auto& asked = client().questions();
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t hub = 0; hub < 3; ++hub) {
      EXPECT_EQ(asked[3 * round + hub].name, NameOf(hub)) << round;
      EXPECT_EQ(asked[3 * round + hub].when_us, asked[3 * round].when_us);
    }
    if (round == 0) continue;
    const uint64_t pause_us =
        asked[3 * round].when_us - asked[3 * round - 1].when_us;
    const uint64_t full_us = kSecond << std::min<size_t>(round - 1, 5);
    EXPECT_GE(pause_us, full_us - full_us / 4) << round;
    EXPECT_LE(pause_us, full_us + kSecond / 100) << round;
  }
  EXPECT_EQ(client().session()->reason(),
            "a.example:443: a.example is no host; b.example:443: b.example is "
            "no host; c.example:443: c.example is no host");
  // One of them is enough.
  client().Rename(NameOf(1), {world_.hubs()[1]->options().outer});
  EXPECT_TRUE(ComesTo(1, 32 * kSecond + kHandshakeUs));
  ExpectCleanEnd();
}

// A hub charges what fails at its door, and a session that it does not know is
// such a thing: a client that moves never brings it the session of another hub.
TEST_F(HubsTest, MovingForthAndBackIsNeverCharged) {
  AddHubs(2);
  AddClient();
  ASSERT_TRUE(CarriesTo(0, kHandshakeUs));
  for (int i = 0; i < 12; ++i) {
    const size_t from = static_cast<size_t>(i % 2);
    world_.KillHub(from);
    ASSERT_TRUE(CarriesTo(1 - from, kMoveUs)) << i;
    world_.RestartHub(from);
    world_.RunTo(world_.now_us() + 12 * kSecond);
  }
  const std::string log = lines_.Take();
  EXPECT_EQ(log.find("was turned away"), std::string::npos);
  EXPECT_EQ(log.find("did not prove the key"), std::string::npos);
  ExpectCleanEnd();
}

}  // namespace
}  // namespace lwt::world
