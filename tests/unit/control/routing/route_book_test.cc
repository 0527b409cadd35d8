#include "control/routing/route_book.h"

#include <gtest/gtest.h>

#include <string>

namespace lwt::routing {
namespace {

using handshake::PublicKey;

constexpr uint64_t kDay = RouteBook::kHoldUs;
constexpr uint64_t kMinute = RouteBook::kEarnUs;

PublicKey KeyOf(uint8_t number) {
  PublicKey key{};
  key[0] = number;
  return key;
}
IpPrefix BookPrefix(std::string_view text) { return *ParseIpPrefix(text); }

class RouteBookTest : public testing::Test {
 protected:
  // A client's list: the codes, a digit for each network.
  std::string Say(uint8_t client, const std::vector<std::string>& networks,
                  uint64_t now_us = 0) {
    std::vector<IpPrefix> list;
    for (const std::string& each : networks) list.push_back(BookPrefix(each));
    std::string codes;
    for (const auto& code :
         book_.Replace(KeyOf(client), list, accept_,
                       {tunnel_, underlay_, {}, {}}, now_us)) {
      codes += std::to_string(code ? static_cast<int>(*code) : 0);
    }
    return codes;
  }

  std::vector<config::Acceptance> accept_ = {{}};
  const std::vector<IpPrefix> tunnel_ = {BookPrefix("10.9.0.1/24")};
  Underlay underlay_;
  RouteBook book_;
};

TEST_F(RouteBookTest, WhoComesFirstHasIt) {
  EXPECT_EQ(Say(1, {"10.1.0.0/16"}), "0");
  // The same, and what lies in it; not what it lies in.
  EXPECT_EQ(Say(2, {"10.1.0.0/16", "10.1.7.0/25", "10.0.0.0/15"}), "550");
  EXPECT_EQ(book_.Of(KeyOf(2)),
            std::vector<IpPrefix>{BookPrefix("10.0.0.0/15")});
  EXPECT_EQ(book_.OwnersOf(*ParseIpAddress("10.1.2.3")),
            (std::set<PublicKey>{KeyOf(1), KeyOf(2)}));
}

TEST_F(RouteBookTest, AListReplacesTheOneBefore) {
  EXPECT_EQ(Say(1, {"10.1.0.0/16", "fd01::/64"}), "00");
  const uint64_t freed = book_.freed();
  EXPECT_EQ(Say(1, {"10.2.0.0/16", "fd01::/64"}), "00");
  EXPECT_EQ(book_.All().size(), 2u);
  EXPECT_GT(book_.freed(), freed);
  EXPECT_EQ(Say(2, {"10.1.0.0/16"}), "0");
  EXPECT_EQ(Say(1, {"10.1.0.0/16"}), "5");
  EXPECT_TRUE(book_.Of(KeyOf(1)).empty());
  // Twice in one list is once.
  EXPECT_EQ(Say(3, {"10.3.0.0/16", "10.3.0.0/16"}), "00");
  EXPECT_EQ(book_.Of(KeyOf(3)).size(), 1u);
}

TEST_F(RouteBookTest, WhatTheSettingsGrantIsTheirs) {
  book_.SetGranted(
      {{KeyOf(1), {BookPrefix("10.1.0.0/16"), BookPrefix("203.0.113.0/24")}}});
  EXPECT_EQ(Say(2, {"10.1.0.0/16", "10.1.1.0/24"}), "55");
  // Not of accept_routes, and of another's.
  EXPECT_EQ(Say(1, {"203.0.113.0/25", "198.51.100.0/24", "10.9.0.0/25"}),
            "062");
  // One that was another's by its word only goes to whom it is granted.
  EXPECT_EQ(Say(2, {"10.2.0.0/24"}), "0");
  EXPECT_EQ(Say(1, {"10.2.0.0/24"}), "5");
  book_.SetGranted({{KeyOf(1), {BookPrefix("10.2.0.0/16")}}});
  EXPECT_TRUE(book_.Of(KeyOf(2)).empty());
  EXPECT_EQ(Say(1, {"10.2.0.0/24"}), "0");
}

TEST_F(RouteBookTest, OfTooManyTheLastAreRefused) {
  std::vector<std::string> networks;
  for (int i = 0; i < 33; ++i) {
    networks.push_back("10.20." + std::to_string(i) + ".0/24");
  }
  EXPECT_EQ(Say(1, networks), std::string(32, '0') + "7");
  // The same whatever became of those before.
  networks[0] = "0.0.0.0/0";
  EXPECT_EQ(Say(1, networks), "1" + std::string(31, '0') + "7");
  EXPECT_EQ(book_.Of(KeyOf(1)).size(), 31u);
}

TEST_F(RouteBookTest, OfTooManyLengthsTheLastAreRefused) {
  std::vector<std::string> networks;
  for (int length = 20; length <= 28; ++length) {
    networks.push_back("10." + std::to_string(length) + ".0.0/" +
                       std::to_string(length));
  }
  networks.push_back("10.99.0.0/20");
  EXPECT_EQ(Say(1, networks), "0000000070");
}

TEST_F(RouteBookTest, AllClientsTogetherBringAFewLengths) {
  std::string codes;
  for (uint8_t client = 0; client < 4; ++client) {
    std::vector<std::string> networks;
    for (int i = 0; i < 8; ++i) {
      networks.push_back("fd" + std::to_string(10 + client) + ":" +
                         std::to_string(i) + "::/" +
                         std::to_string(40 + client * 8 + i));
    }
    codes += Say(client, networks);
  }
  EXPECT_EQ(codes, std::string(24, '0') + std::string(8, '7'));
  // One that is in use is nothing new, and IPv4 is counted apart.
  EXPECT_EQ(Say(9, {"fd99::/40", "10.1.0.0/16", "fd98::/100"}), "007");
}

TEST_F(RouteBookTest, IsHeldForADayForWhoStayed) {
  EXPECT_EQ(Say(1, {"10.1.0.0/16"}), "0");
  EXPECT_EQ(Say(2, {"10.2.0.0/16"}), "0");
  book_.Release(KeyOf(2), kMinute - 1);
  EXPECT_TRUE(book_.Of(KeyOf(2)).empty()) << "it did not stay";
  book_.Release(KeyOf(1), kMinute);
  ASSERT_EQ(book_.All().size(), 1u);
  EXPECT_TRUE(book_.All()[0].away);
  EXPECT_EQ(Say(3, {"10.1.5.0/24"}, kMinute), "5");
  book_.Expire(kMinute + kDay - 1);
  EXPECT_EQ(book_.Of(KeyOf(1)).size(), 1u);
  book_.Expire(kMinute + kDay);
  EXPECT_TRUE(book_.Of(KeyOf(1)).empty());
  EXPECT_EQ(Say(3, {"10.1.5.0/24"}, kMinute + kDay), "0");
}

TEST_F(RouteBookTest, WhoComesBackHasWhatItHad) {
  EXPECT_EQ(Say(1, {"10.1.0.0/16"}), "0");
  book_.Release(KeyOf(1), kMinute);
  book_.Connected(KeyOf(1), kMinute + 5);
  EXPECT_FALSE(book_.All()[0].away);
  book_.Expire(UINT64_MAX - 1);
  EXPECT_EQ(book_.Of(KeyOf(1)).size(), 1u);
}

TEST_F(RouteBookTest, KeysThatAreAwayHaveABound) {
  for (size_t i = 0; i <= RouteBook::kMostAway; ++i) {
    PublicKey key{};
    key[0] = static_cast<uint8_t>(i);
    key[1] = static_cast<uint8_t>(i >> 8);
    const IpPrefix network{
        {Family::kIpv4,
         {10, static_cast<uint8_t>(100 + (i >> 8)), static_cast<uint8_t>(i)}},
        24};
    book_.Replace(key, {network}, accept_, {tunnel_, underlay_, {}, {}}, 0);
    book_.Release(key, kMinute);
  }
  EXPECT_EQ(book_.All().size(), RouteBook::kMostAway);
}

TEST_F(RouteBookTest, ForgetsThoseWhoAreAway) {
  EXPECT_EQ(Say(1, {"10.1.0.0/16", "10.1.7.0/24"}), "00");
  EXPECT_EQ(Say(2, {"10.2.0.0/16"}), "0");
  book_.Release(KeyOf(1), kMinute);
  const auto named = book_.Forget(BookPrefix("10.0.0.0/8"));
  EXPECT_EQ(named.size(), 3u);
  EXPECT_EQ(book_.All().size(), 1u) << "who is there keeps its own";
  EXPECT_EQ(book_.Forget(KeyOf(1)).size(), 0u);
  EXPECT_EQ(book_.Forget(KeyOf(2)).size(), 1u);
  EXPECT_EQ(book_.All().size(), 1u);
}

// What nobody else has is one client's; what others announce stays theirs.
TEST_F(RouteBookTest, AllThatHasNoOtherWayClaimsNothing) {
  book_.SetGranted(
      {{KeyOf(1), {BookPrefix("0.0.0.0/1"), BookPrefix("128.0.0.0/1")}}});
  EXPECT_EQ(Say(2, {"192.168.2.0/24", "10.1.0.0/16"}), "00");
  EXPECT_EQ(Say(1, {"192.168.2.0/24", "192.168.3.0/24", "8.8.8.0/24"}), "506")
      << "nor is more taken of its own word";
  EXPECT_EQ(Say(1, {"0.0.0.0/0"}), "1") << "a grant needs none";
}

}  // namespace
}  // namespace lwt::routing
