#include "control/client/hub_round.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lwt::peer {
namespace {

using handshake::PinnedBy;
using handshake::PublicKey;
using Names = std::vector<std::string>;

constexpr PublicKey kAKey{1};
constexpr PublicKey kBKey{2};

HubTarget Hub(const char* host, std::optional<PublicKey> key = kAKey,
              PinnedBy pinned_by = PinnedBy::kEntry) {
  return {{host, 9000}, key, pinned_by};
}

// The hubs of the round that begins.
Names NextRound(HubRound& round) {
  round.Begin();
  Names names;
  do {
    names.push_back(round.hub().address.host);
  } while (round.Next("down"));
  return names;
}

// A session with the hub of that name.
void Use(HubRound& round, const std::string& host,
         const PublicKey& key = kAKey) {
  round.Begin();
  while (round.hub().address.host != host) ASSERT_TRUE(round.Next("down"));
  round.OnSession(key);
}

TEST(HubRoundTest, EachHasOneTurnInTheirOrder) {
  HubRound round({Hub("a"), Hub("b"), Hub("c")});
  EXPECT_EQ(round.hub().address.host, "a");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(NextRound(round), (Names{"a", "b", "c"}));
  }
}

TEST(HubRoundTest, TheOneThatServedLastGoesFirstThenTheOrder) {
  HubRound round({Hub("a"), Hub("b"), Hub("c")});
  Use(round, "c");
  EXPECT_EQ(NextRound(round), (Names{"c", "a", "b"}));
  EXPECT_EQ(NextRound(round), (Names{"c", "a", "b"}));
  Use(round, "b");
  EXPECT_EQ(NextRound(round), (Names{"b", "a", "c"}));
  Use(round, "a");
  EXPECT_EQ(NextRound(round), (Names{"a", "b", "c"}));
}

TEST(HubRoundTest, OneHubIsNotNamedWhereItFails) {
  HubRound round({Hub("a")});
  EXPECT_FALSE(round.several());
  EXPECT_FALSE(round.Next("it is down"));
  EXPECT_EQ(round.failures(), "it is down");
  EXPECT_FALSE(round.Next("it is down still"));
  EXPECT_EQ(round.failures(), "it is down still");
  round.Begin();
  EXPECT_EQ(round.failures(), "");
}

TEST(HubRoundTest, SeveralAreNamedEachWithItsReason) {
  HubRound round({Hub("a"), Hub("2001:db8::1"), Hub("c")});
  EXPECT_TRUE(round.several());
  EXPECT_TRUE(round.Next("no answer"));
  EXPECT_EQ(round.failures(), "a:9000: no answer");
  EXPECT_TRUE(round.Next("refused"));
  round.OnSession(kAKey);
  EXPECT_EQ(round.failures(), "a:9000: no answer; [2001:db8::1]:9000: refused")
      << "why it is the third one";
  round.Begin();
  EXPECT_EQ(round.failures(), "");
}

TEST(HubRoundTest, OnlyTheHubOfTheSessionIsInUse) {
  HubRound round({Hub("a"), Hub("b")});
  EXPECT_FALSE(round.InUse()) << "no session yet";
  Use(round, "b");
  EXPECT_TRUE(round.InUse());
  EXPECT_EQ(round.used()->address.host, "b");
  round.Begin();
  EXPECT_TRUE(round.InUse());
  EXPECT_TRUE(round.Next("lost"));
  EXPECT_EQ(round.hub().address.host, "a");
  EXPECT_FALSE(round.InUse());
}

TEST(HubRoundTest, OtherHubsCountFromTheNextRoundOn) {
  HubRound round({Hub("a"), Hub("b")});
  EXPECT_FALSE(round.SetHubs({Hub("a"), Hub("b")})) << "they are the same";
  EXPECT_TRUE(round.SetHubs({Hub("b"), Hub("a")})) << "the order counts";
  EXPECT_TRUE(round.SetHubs({Hub("c"), Hub("d")}));
  EXPECT_TRUE(round.Next("down"));
  EXPECT_EQ(round.hub().address.host, "b");
  EXPECT_EQ(NextRound(round), (Names{"c", "d"}));
}

TEST(HubRoundTest, OneThatIsTakenOutIsNotPreferred) {
  HubRound round({Hub("a"), Hub("b"), Hub("c")});
  Use(round, "b");
  EXPECT_TRUE(round.SetHubs({Hub("a"), Hub("c")}));
  EXPECT_EQ(NextRound(round), (Names{"a", "c"}));
  EXPECT_EQ(round.used()->address.host, "b") << "its session may stand";
  round.Begin();
  EXPECT_FALSE(round.InUse());
}

TEST(HubRoundTest, OneThatMayShowAnotherKeyNowIsCalledAndNotJoined) {
  HubRound round({Hub("a"), Hub("b")});
  Use(round, "b");
  EXPECT_TRUE(round.SetHubs({Hub("a"), Hub("b", kBKey)}));
  round.Begin();
  EXPECT_EQ(round.hub().address.host, "b");
  EXPECT_FALSE(round.InUse());
  EXPECT_EQ(round.hub().key, kBKey);
}

TEST(HubRoundTest, TheFirstContactDecidesOfThatHubAlone) {
  HubRound round(
      {Hub("a", std::nullopt, PinnedBy::kFirstContact), Hub("b", kAKey)});
  EXPECT_EQ(round.FirstContactKey(), std::nullopt);
  Use(round, "b");
  EXPECT_EQ(round.FirstContactKey(), std::nullopt) << "that was another hub";
  Use(round, "a", kBKey);
  EXPECT_EQ(round.FirstContactKey(), kBKey);
  round.Begin();
  EXPECT_EQ(round.hub().address.host, "a");
  EXPECT_EQ(round.hub().key, kBKey);
  EXPECT_TRUE(round.InUse());
  EXPECT_TRUE(round.Next("down"));
  EXPECT_EQ(round.hub().key, kAKey);
}

TEST(HubRoundTest, WhereNoFirstContactDecidesThereIsNone) {
  HubRound round({Hub("a", kAKey, PinnedBy::kSetting), Hub("b")});
  Use(round, "a");
  EXPECT_EQ(round.FirstContactKey(), std::nullopt);
}

}  // namespace
}  // namespace lwt::peer
