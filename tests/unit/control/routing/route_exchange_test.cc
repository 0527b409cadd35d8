#include "control/routing/route_exchange.h"

#include <gtest/gtest.h>

namespace lwt::routing {
namespace {

using handshake::RouteCode;
using handshake::RoutesAnswer;

constexpr uint64_t kGap = RouteExchange::kGapUs;
const IpPrefix kOne = *ParseIpPrefix("10.1.0.0/16");
const IpPrefix kTwo = *ParseIpPrefix("10.2.0.0/16");

TEST(RouteExchangeTest, TheFirstListIsSentThoughItBeEmpty) {
  RouteExchange exchange(true);
  EXPECT_EQ(exchange.NextDeadline(), 0u);
  const auto first = exchange.TakeAnnouncement(5);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->version, 1u);
  EXPECT_TRUE(first->networks.empty());
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
  exchange.Announce({});
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever) << "no change";
}

TEST(RouteExchangeTest, OneWhoDoesNotUnderstandIsToldNothing) {
  RouteExchange exchange(false);
  exchange.Announce({kOne});
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
  EXPECT_FALSE(exchange.TakeAnnouncement(5));
}

TEST(RouteExchangeTest, ChangesLeaveOnceASecond) {
  RouteExchange exchange(true);
  exchange.Announce({kOne});
  EXPECT_EQ(exchange.TakeAnnouncement(0)->networks,
            std::vector<IpPrefix>{kOne});
  exchange.Announce({kTwo});
  exchange.Announce({kOne, kTwo});
  EXPECT_EQ(exchange.NextDeadline(), kGap);
  EXPECT_FALSE(exchange.TakeAnnouncement(kGap - 1));
  const auto second = exchange.TakeAnnouncement(kGap);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->version, 2u);
  EXPECT_EQ(second->networks.size(), 2u);
  // There and back is no change.
  exchange.Announce({});
  exchange.Announce({kOne, kTwo});
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
}

TEST(RouteExchangeTest, WhatWasToldIsToldAgainToOneThatLostIt) {
  RouteExchange exchange(true);
  exchange.Announce({kOne, kTwo});
  const auto first = exchange.TakeAnnouncement(0);
  ASSERT_TRUE(first);
  const RoutesAnswer refusal{.version = first->version,
                             .refused = {{1, RouteCode::kConnected}}};
  EXPECT_TRUE(exchange.OnAnswer(refusal));
  EXPECT_FALSE(exchange.TakeAnnouncement(kGap));
  exchange.AnnounceAgain();
  exchange.Announce({kOne, kTwo});
  EXPECT_FALSE(exchange.TakeAnnouncement(kGap - 1)) << "as rarely as any";
  const auto again = exchange.TakeAnnouncement(kGap);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->version, first->version + 1);
  EXPECT_EQ(again->networks, first->networks);
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
  // Of what is known nothing is forgotten, and the same answer is no news.
  EXPECT_TRUE(exchange.answered());
  EXPECT_EQ(exchange.RefusedBy(1), RouteCode::kConnected);
  EXPECT_FALSE(exchange.OnAnswer(
      {.version = again->version, .refused = refusal.refused}));
  RouteExchange peer(true);
  peer.OnRoutes(*again, 0);
  ASSERT_NE(peer.TakeList(0), nullptr);
  EXPECT_EQ(peer.list().networks, first->networks);
}

TEST(RouteExchangeTest, AListThatCameAgainIsJudgedAndKeepsItsCodes) {
  RouteExchange exchange(true);
  exchange.OnRoutes({.version = 1, .networks = {kOne}}, 0);
  ASSERT_NE(exchange.TakeList(0), nullptr);
  (void)exchange.Judged({RouteCode::kConnected});
  exchange.OnRoutes({.version = 2, .networks = {kOne}}, kGap);
  ASSERT_NE(exchange.TakeList(kGap), nullptr);
  EXPECT_FALSE(exchange.judged());
  ASSERT_EQ(exchange.codes().size(), 1u);
  EXPECT_EQ(exchange.codes()[0], RouteCode::kConnected);
  exchange.OnRoutes({.version = 3, .networks = {kTwo}}, 2 * kGap);
  ASSERT_NE(exchange.TakeList(2 * kGap), nullptr);
  EXPECT_TRUE(exchange.codes().empty());
}

TEST(RouteExchangeTest, OfAFloodTheNewestIsLookedAtOnceASecond) {
  RouteExchange exchange(true);
  (void)exchange.TakeAnnouncement(0);
  size_t looks = 0;
  for (uint32_t version = 1; version <= 1000; ++version) {
    const uint64_t now_us = version * 10'000;  // 100 a second
    exchange.OnRoutes({.version = version, .networks = {kOne}}, now_us);
    if (exchange.TakeList(now_us) != nullptr) ++looks;
  }
  EXPECT_GE(looks, 9u);
  EXPECT_LE(looks, 11u);
  EXPECT_EQ(exchange.lists(), 1000u);
  EXPECT_GE(exchange.overtaken(), 1000u - 11 - 1);
  (void)exchange.TakeList(1000 * 10'000 + kGap);
  EXPECT_EQ(exchange.list().version, 1000u);
}

TEST(RouteExchangeTest, AnOlderListChangesNothing) {
  RouteExchange exchange(true);
  exchange.OnRoutes({.version = 2, .networks = {kOne}}, 0);
  ASSERT_NE(exchange.TakeList(0), nullptr);
  for (const uint32_t version : {0u, 1u, 2u}) {
    exchange.OnRoutes({.version = version, .networks = {kTwo}}, kGap);
    EXPECT_EQ(exchange.TakeList(kGap), nullptr) << version;
  }
  EXPECT_EQ(exchange.list().networks, std::vector<IpPrefix>{kOne});
  EXPECT_EQ(exchange.overtaken(), 3u);
}

TEST(RouteExchangeTest, AnAnswerIsOfTheLastList) {
  RouteExchange exchange(true);
  exchange.Announce({kOne, kTwo});
  EXPECT_FALSE(exchange.OnAnswer({.version = 0, .refused = {}}));
  (void)exchange.TakeAnnouncement(0);
  EXPECT_FALSE(exchange.answered());
  EXPECT_FALSE(exchange.OnAnswer({2, {{0, RouteCode::kReserved}}}));
  // An index beyond the list is nothing.
  const RoutesAnswer answer{
      1, {{1, RouteCode::kAnothers}, {9, RouteCode::kReserved}}};
  EXPECT_TRUE(exchange.OnAnswer(answer));
  EXPECT_FALSE(exchange.OnAnswer(answer)) << "the same again is no news";
  EXPECT_EQ(exchange.RefusedBy(1), RouteCode::kAnothers);
  EXPECT_EQ(exchange.RefusedBy(0), std::nullopt);
  EXPECT_TRUE(exchange.OnAnswer({.version = 1, .refused = {}}));
  EXPECT_EQ(exchange.RefusedBy(1), std::nullopt);
}

TEST(RouteExchangeTest, WhatWasJudgedIsAnswered) {
  RouteExchange exchange(true);
  exchange.OnRoutes({.version = 7, .networks = {kOne, kTwo}}, 0);
  ASSERT_NE(exchange.TakeList(0), nullptr);
  EXPECT_FALSE(exchange.judged());
  const RoutesAnswer answer =
      exchange.Judged({std::nullopt, RouteCode::kConnected});
  EXPECT_EQ(answer.version, 7u);
  EXPECT_EQ(answer.refused,
            (std::vector<RoutesAnswer::Refused>{{1, RouteCode::kConnected}}));
  EXPECT_TRUE(exchange.judged());
}

// A list of before was answered by nobody yet when the next one leaves: its
// answer says nothing of the new one's indices.
TEST(RouteExchangeTest, AnAnswerToAListOfBeforeIsNoAnswer) {
  RouteExchange exchange(true);
  exchange.Announce({kOne, kTwo});
  (void)exchange.TakeAnnouncement(0);
  EXPECT_TRUE(exchange.OnAnswer({1, {{0, RouteCode::kAnothers}}}));
  exchange.Announce({kTwo});
  EXPECT_EQ(exchange.RefusedBy(0), RouteCode::kAnothers)
      << "it counts until the next list leaves";
  ASSERT_TRUE(exchange.TakeAnnouncement(kGap));
  EXPECT_FALSE(exchange.answered());
  EXPECT_EQ(exchange.RefusedBy(0), std::nullopt);
  EXPECT_FALSE(exchange.OnAnswer({1, {{0, RouteCode::kTooMany}}}));
  EXPECT_FALSE(exchange.answered());
  EXPECT_TRUE(exchange.OnAnswer({2, {{0, RouteCode::kReserved}}}));
  EXPECT_EQ(exchange.RefusedBy(0), RouteCode::kReserved);
}

TEST(RouteExchangeTest, AnIndexThatIsNoByteIsRefusedByNobody) {
  RouteExchange exchange(true);
  exchange.Announce({kOne});
  (void)exchange.TakeAnnouncement(0);
  EXPECT_TRUE(exchange.OnAnswer({1, {{0, RouteCode::kAnothers}}}));
  EXPECT_EQ(exchange.RefusedBy(256), std::nullopt) << "not the one of 0";
  EXPECT_EQ(exchange.RefusedBy(SIZE_MAX), std::nullopt);
  // The same index twice: one entry, the last.
  EXPECT_TRUE(exchange.OnAnswer(
      {1, {{0, RouteCode::kReserved}, {0, RouteCode::kUnderlay}}}));
  EXPECT_EQ(exchange.RefusedBy(0), RouteCode::kUnderlay);
}

TEST(RouteExchangeTest, OfTooLongAListTheFirstAreAnnounced) {
  RouteExchange exchange(true);
  std::vector<IpPrefix> networks(300, kOne);
  EXPECT_EQ(exchange.Announce(networks), handshake::RoutesMessage::kMost);
  const auto message = exchange.TakeAnnouncement(0);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->networks.size(), handshake::RoutesMessage::kMost);
  // The end, which nobody is told, changes nothing.
  networks.resize(200);
  exchange.Announce(networks);
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
  // The last that is told can be refused.
  const auto last = static_cast<uint8_t>(handshake::RoutesMessage::kMost - 1);
  EXPECT_TRUE(exchange.OnAnswer({1, {{last, RouteCode::kTooMany}}}));
  EXPECT_EQ(exchange.RefusedBy(last), RouteCode::kTooMany);
}

TEST(RouteExchangeTest, TheEarlierOfTheTwoWaysIsTheDeadline) {
  RouteExchange exchange(true);
  (void)exchange.TakeAnnouncement(0);
  exchange.OnRoutes({.version = 1, .networks = {kOne}}, 0);
  ASSERT_NE(exchange.TakeList(0), nullptr);
  exchange.OnRoutes({.version = 2, .networks = {kTwo}}, kGap / 2);
  EXPECT_EQ(exchange.NextDeadline(), kGap) << "the list";
  exchange.Announce({kOne});
  EXPECT_EQ(exchange.NextDeadline(), kGap);
  ASSERT_TRUE(exchange.TakeAnnouncement(kGap + 7));
  EXPECT_EQ(exchange.NextDeadline(), kGap);
  ASSERT_NE(exchange.TakeList(kGap + 7), nullptr);
  EXPECT_EQ(exchange.NextDeadline(), RouteExchange::kNever);
  // Each way has a gap of its own, from when it was used last.
  exchange.Announce({});
  exchange.OnRoutes({.version = 3, .networks = {}}, kGap + 8);
  EXPECT_EQ(exchange.NextDeadline(), 2 * kGap + 7);
}

TEST(RouteExchangeTest, ThePeersListComesThoughOursDoesNotGo) {
  RouteExchange exchange(false);
  exchange.OnRoutes({.version = 1, .networks = {kOne}}, 3);
  EXPECT_EQ(exchange.NextDeadline(), 3u);
  EXPECT_NE(exchange.TakeList(3), nullptr);
}

// A list of another length has other codes: none is left of the one before.
TEST(RouteExchangeTest, ANewListForgetsWhatCameOfTheOneBefore) {
  RouteExchange exchange(true);
  exchange.OnRoutes({.version = 1, .networks = {kOne, kTwo}}, 0);
  ASSERT_NE(exchange.TakeList(0), nullptr);
  (void)exchange.Judged({RouteCode::kReserved, RouteCode::kAnothers});
  exchange.OnRoutes({.version = UINT32_MAX, .networks = {kTwo}}, 1);
  EXPECT_TRUE(exchange.judged()) << "until it is looked at";
  EXPECT_EQ(exchange.codes().size(), 2u);
  ASSERT_NE(exchange.TakeList(kGap), nullptr);
  EXPECT_FALSE(exchange.judged());
  EXPECT_TRUE(exchange.codes().empty());
  EXPECT_EQ(exchange.Judged({std::nullopt}).refused.size(), 0u);
  // Of the last version there is none that is newer.
  exchange.OnRoutes({.version = 0, .networks = {}}, 2 * kGap);
  exchange.OnRoutes({.version = UINT32_MAX, .networks = {}}, 2 * kGap);
  EXPECT_EQ(exchange.TakeList(3 * kGap), nullptr);
}

}  // namespace
}  // namespace lwt::routing
