// Whose a network is over time: grants of the settings against announcements,
// who is away, and a book of many steps against a plain model of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "control/routing/route_book.h"

namespace lwt::routing {
namespace {

using handshake::PublicKey;
using Networks = std::vector<IpPrefix>;

constexpr uint64_t kHold = RouteBook::kHoldUs;
constexpr uint64_t kEarn = RouteBook::kEarnUs;

PublicKey HolderKey(size_t number) {
  PublicKey key{};
  key[0] = static_cast<uint8_t>(number);
  key[1] = static_cast<uint8_t>(number >> 8);
  return key;
}
IpPrefix HeldPrefix(std::string_view text) { return *ParseIpPrefix(text); }
IpAddress HeldAddress(std::string_view text) { return *ParseIpAddress(text); }

class RouteHoldsTest : public testing::Test {
 protected:
  RouteBook::Codes SayAll(const PublicKey& key, const Networks& networks,
                          uint64_t now_us = 0) {
    return book_.Replace(key, networks, accept_, {{}, underlay_, {}, {}},
                         now_us);
  }
  // The code of one network that is all that the client says, 0 for none.
  int Say(size_t client, std::string_view network, uint64_t now_us = 0) {
    const auto code =
        SayAll(HolderKey(client), {HeldPrefix(network)}, now_us).at(0);
    return code ? static_cast<int>(*code) : 0;
  }
  // Fills the places of those who are away, each with one network.
  void FillAway(uint64_t now_us) {
    for (size_t i = 0; i < RouteBook::kMostAway; ++i) {
      const PublicKey key = HolderKey(1000 + i);
      SayAll(key, {OfAway(i)}, now_us - kEarn);
      book_.Release(key, now_us);
      ASSERT_EQ(book_.Of(key).size(), 1u) << i;
    }
  }
  static IpPrefix OfAway(size_t i) {
    return {{Family::kIpv4,
             {10, static_cast<uint8_t>(100 + i / 256),
              static_cast<uint8_t>(i % 256)}},
            24};
  }

  std::vector<config::Acceptance> accept_ = {
      {config::Acceptance::What::kAll, {}}};
  Underlay underlay_;
  RouteBook book_;
};

// As the settings may say it: the longer prefix counts.
TEST_F(RouteHoldsTest, OfNestedGrantsTheLongestDecides) {
  book_.SetGranted({{HolderKey(1), {HeldPrefix("10.0.0.0/8")}},
                    {HolderKey(2), {HeldPrefix("10.1.0.0/16")}},
                    {HolderKey(3), {HeldPrefix("10.1.7.0/24")}}});
  EXPECT_EQ(Say(1, "10.1.0.0/16"), 5);
  EXPECT_EQ(Say(1, "10.1.2.0/24"), 5) << "a part of the second's";
  EXPECT_EQ(Say(2, "10.1.7.128/25"), 5) << "a part of the third's";
  EXPECT_EQ(Say(1, "10.1.7.0/24"), 5);
  EXPECT_EQ(Say(1, "10.0.0.0/12"), 0) << "around: the longer one leads there";
  EXPECT_EQ(Say(2, "10.1.2.0/24"), 0);
  EXPECT_EQ(Say(3, "10.1.7.128/25"), 0);
  EXPECT_EQ(Say(4, "10.2.0.0/16"), 5) << "of nobody but the first";
}

// A grant costs its length whatever is announced, and the operator gave it.
TEST_F(RouteHoldsTest, WhatIsGrantedMayBringALengthBeyondTheBound) {
  for (size_t i = 0; i < RouteBook::kMostLengthsInAll; ++i) {
    const IpPrefix network{{Family::kIpv6, {0xfd, static_cast<uint8_t>(i)}},
                           static_cast<uint8_t>(16 + i)};
    EXPECT_FALSE(SayAll(HolderKey(100 + i), {network}).at(0)) << i;
  }
  book_.SetGranted({{HolderKey(1), {HeldPrefix("fd80::/100")}}});
  EXPECT_EQ(Say(2, "fd90::/100"), 7);
  EXPECT_EQ(Say(1, "fd80::/100"), 0);
  EXPECT_EQ(Say(1, "fd80::/101"), 0);
  EXPECT_EQ(Say(2, "fd90::/100"), 7) << "no room is made for others";
  EXPECT_EQ(Say(2, "fd90::/39"), 0) << "one that is in use";
}

TEST_F(RouteHoldsTest, AGrantInsideOfOnesOwnTakesAPartAway) {
  book_.SetGranted({{HolderKey(1), {HeldPrefix("10.0.0.0/8")}}});
  SayAll(HolderKey(1), {HeldPrefix("10.1.2.0/24"), HeldPrefix("10.3.0.0/16")});
  const uint64_t freed = book_.freed();
  book_.SetGranted({{HolderKey(1), {HeldPrefix("10.0.0.0/8")}},
                    {HolderKey(2), {HeldPrefix("10.1.0.0/16")}}});
  EXPECT_EQ(book_.Of(HolderKey(1)), Networks{HeldPrefix("10.3.0.0/16")});
  EXPECT_EQ(book_.freed(), freed + 1);
  // The same again changes nothing.
  const uint64_t version = book_.version();
  book_.SetGranted(RouteBook::Granted(book_.granted()));
  EXPECT_EQ(book_.version(), version);
}

TEST_F(RouteHoldsTest, AGrantIsNotBoundByWhatIsAccepted) {
  accept_ = {{config::Acceptance::What::kOff, {}}};
  book_.SetGranted({{HolderKey(1), {HeldPrefix("10.1.0.0/16")}}});
  EXPECT_EQ(Say(1, "10.1.4.0/24"), 0);
  EXPECT_EQ(Say(1, "10.2.0.0/24"), 6);
  EXPECT_EQ(Say(2, "10.1.4.0/24"), 5) << "another's, before all else";
  book_.SetGranted({});
  EXPECT_EQ(Say(1, "10.1.4.0/24"), 6) << "without the grant it is like any";
  EXPECT_TRUE(book_.All().empty());
}

TEST_F(RouteHoldsTest, WhoComesToAGrantTakesItFromWhoIsAway) {
  EXPECT_EQ(Say(1, "10.1.0.0/24"), 0);
  book_.Release(HolderKey(1), kEarn);
  book_.SetGranted({{HolderKey(2), {HeldPrefix("10.1.0.0/16")}}});
  EXPECT_TRUE(book_.All().empty()) << "at once, not when the other comes";
  EXPECT_EQ(Say(2, "10.1.0.0/24", kEarn), 0);
  book_.Connected(HolderKey(1), kEarn);
  EXPECT_TRUE(book_.Of(HolderKey(1)).empty());
}

// Forgotten, withdrawn, or granted to another: what is away and holds nothing
// is no reason to hold nothing for the next one.
TEST_F(RouteHoldsTest, APlaceOfTheAwayIsFreeWithItsLastNetwork) {
  const uint64_t now = kEarn;
  FillAway(now);
  const auto is_held = [&](size_t client, const char* network) {
    EXPECT_EQ(Say(client, network, now), 0);
    book_.Release(HolderKey(client), now + kEarn);
    return !book_.Of(HolderKey(client)).empty();
  };
  EXPECT_FALSE(is_held(1, "192.168.1.0/24")) << "all places are taken";
  book_.Forget(OfAway(5));
  EXPECT_TRUE(is_held(1, "192.168.1.0/24"));
  EXPECT_FALSE(is_held(2, "192.168.2.0/24")) << "one place, once";
  book_.Withdraw(HolderKey(1006), OfAway(6));
  EXPECT_TRUE(is_held(2, "192.168.2.0/24"));
  book_.SetGranted({{HolderKey(3), {OfAway(7)}}});
  EXPECT_TRUE(is_held(4, "192.168.4.0/24"));
  EXPECT_FALSE(is_held(5, "192.168.5.0/24"));
  book_.Connected(HolderKey(1008), now);
  EXPECT_TRUE(is_held(5, "192.168.5.0/24")) << "one that came back";
  EXPECT_EQ(book_.Forget(HeldPrefix("0.0.0.0/0")).size(),
            RouteBook::kMostAway + 1);
  EXPECT_EQ(book_.All().size(), 1u) << "of the one that is there";
  book_.SetGranted({});
  FillAway(now + kHold);
}

TEST_F(RouteHoldsTest, OneOfSeveralNetworksLeavesThePlaceTaken) {
  SayAll(HolderKey(1), {HeldPrefix("10.1.0.0/16"), HeldPrefix("10.2.0.0/16")});
  book_.Release(HolderKey(1), kEarn);
  book_.Withdraw(HolderKey(1), HeldPrefix("10.1.0.0/16"));
  ASSERT_EQ(book_.All().size(), 1u);
  EXPECT_TRUE(book_.All()[0].away);
  book_.Withdraw(HolderKey(1), HeldPrefix("10.1.0.0/16"));
  book_.Withdraw(HolderKey(9), HeldPrefix("10.2.0.0/16"));
  EXPECT_EQ(book_.All().size(), 1u) << "only of whom it is";
  book_.Expire(kEarn + kHold);
  EXPECT_TRUE(book_.All().empty());
}

// An end of the tunnel may lie in several, the one within the other.
TEST_F(RouteHoldsTest, AnAddressHasAllWhoHaveItsNetworks) {
  EXPECT_EQ(Say(1, "10.1.2.0/24"), 0);
  EXPECT_EQ(Say(2, "10.1.0.0/16"), 0);
  EXPECT_EQ(Say(3, "fd01::/64"), 0);
  EXPECT_EQ(book_.OwnersOf(HeldAddress("10.1.2.3")),
            (std::set<PublicKey>{HolderKey(1), HolderKey(2)}));
  EXPECT_EQ(book_.OwnersOf(HeldAddress("10.1.3.3")),
            std::set<PublicKey>{HolderKey(2)});
  EXPECT_EQ(book_.OwnersOf(HeldAddress("fd01::1")),
            std::set<PublicKey>{HolderKey(3)});
  EXPECT_TRUE(book_.OwnersOf(HeldAddress("10.2.0.1")).empty());
  EXPECT_TRUE(book_.OwnersOf(HeldAddress("fd02::1")).empty());
}

TEST_F(RouteHoldsTest, AReleaseCountsOnce) {
  book_.Release(HolderKey(7), 5);  // nobody
  EXPECT_EQ(Say(1, "10.1.0.0/16"), 0);
  book_.Release(HolderKey(1), kEarn);
  book_.Release(HolderKey(1), kEarn + kHold - 1);
  book_.Expire(kEarn + kHold);
  EXPECT_TRUE(book_.All().empty()) << "a second one does not prolong it";
  // Who says nothing is not held: nothing is there to hold.
  book_.Connected(HolderKey(2), 0);
  book_.Release(HolderKey(2), kEarn);
  EXPECT_TRUE(book_.All().empty());
}

TEST_F(RouteHoldsTest, EachIsHeldForADayOfItsOwn) {
  for (size_t i = 0; i < 3; ++i) {
    SayAll(HolderKey(i), {OfAway(i)});
    book_.Release(HolderKey(i), kEarn + i * 100);
  }
  for (size_t i = 0; i < 3; ++i) {
    book_.Expire(kEarn + kHold + i * 100 - 1);
    EXPECT_EQ(book_.All().size(), 3 - i);
    book_.Expire(kEarn + kHold + i * 100);
    EXPECT_EQ(book_.All().size(), 2 - i);
  }
}

// What is known of a book, by lists that are searched from end to end.
struct Model {
  struct One {
    Networks networks;
    bool here = true;
    uint64_t at_us = 0;  // since or until
  };
  std::map<PublicKey, One> keys;

  bool IsAnothers(const PublicKey& key, const IpPrefix& network) const {
    return std::any_of(keys.begin(), keys.end(), [&](const auto& each) {
      const Networks& theirs = each.second.networks;
      return each.first != key &&
             std::any_of(theirs.begin(), theirs.end(),
                         [&](const auto& one) { return Within(network, one); });
    });
  }
  void Say(const PublicKey& key, const Networks& list, uint64_t now_us) {
    One& one = keys.try_emplace(key, One{{}, true, now_us}).first->second;
    if (!one.here) one = {one.networks, true, now_us};
    Networks accepted;
    for (const IpPrefix& network : list) {
      if (!IsAnothers(key, network)) accepted.push_back(network);
    }
    std::sort(accepted.begin(), accepted.end(), host::PrefixOrder());
    accepted.erase(std::unique(accepted.begin(), accepted.end()),
                   accepted.end());
    one.networks = accepted;
  }
  void Leave(const PublicKey& key, uint64_t now_us) {
    const auto found = keys.find(key);
    if (found == keys.end() || !found->second.here) return;
    One& one = found->second;
    if (one.networks.empty() || now_us - one.at_us < kEarn) {
      keys.erase(found);
    } else {
      one = {one.networks, false, now_us + kHold};
    }
  }
  void Expire(uint64_t now_us) {
    std::erase_if(keys, [&](const auto& each) {
      return !each.second.here && each.second.at_us <= now_us;
    });
  }
};

TEST_F(RouteHoldsTest, ABookIsWhatAPlainListIs) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint32_t end) { return random() % end; };
    book_ = RouteBook();
    Model model;
    uint64_t now_us = 0;
    for (int step = 0; step < 400; ++step) {
      now_us += below(4) == 0 ? kHold / (1 + below(4)) : kEarn * below(3) / 2;
      const PublicKey key = HolderKey(below(5));
      switch (below(4)) {
        case 0:
        case 1: {
          Networks list(below(4));
          for (IpPrefix& network : list) {
            const auto length = static_cast<uint8_t>(14 + below(4));
            network = {{Family::kIpv4, {10, static_cast<uint8_t>(below(8))}},
                       length};
            network.address = network.Network();
          }
          SayAll(key, list, now_us);
          model.Say(key, list, now_us);
          break;
        }
        case 2:
          book_.Release(key, now_us);
          model.Leave(key, now_us);
          break;
        default:
          book_.Expire(now_us);
          model.Expire(now_us);
      }
      size_t all = 0;
      for (size_t i = 0; i < 5; ++i) {
        const auto found = model.keys.find(HolderKey(i));
        const Networks expected =
            found == model.keys.end() ? Networks() : found->second.networks;
        ASSERT_EQ(book_.Of(HolderKey(i)), expected)
            << "seed " << seed << ", step " << step << ", key " << i;
        all += expected.size();
      }
      ASSERT_EQ(book_.All().size(), all) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace lwt::routing
