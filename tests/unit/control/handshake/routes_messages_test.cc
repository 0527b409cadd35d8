// The bytes of the lists of networks and of the answers to them, at the ends of
// what they may be.
#include <gtest/gtest.h>

#include <random>

#include "control/handshake/messages.h"

namespace lwt::handshake {
namespace {

const IpPrefix kFour = *ParseIpPrefix("10.1.0.0/16");
const IpPrefix kSix = *ParseIpPrefix("fd01:2::/32");

ByteVector ListOf(size_t fours, size_t sixes) {
  RoutesMessage message{.version = 0x01020304, .networks = {}};
  message.networks.assign(fours, kFour);
  message.networks.insert(message.networks.end(), sixes, kSix);
  return message.Build();
}

TEST(RoutesMessages, ABodyIsNoLongerThanAMessageMayBe) {
  for (size_t fours = 0; fours <= RoutesMessage::kMost + 2; ++fours) {
    const ByteVector body = ListOf(fours, 60);
    ASSERT_LE(body.size(), kMaxControlBody) << fours;
    const auto read = RoutesMessage::Parse(body);
    ASSERT_TRUE(read) << fours;
    EXPECT_EQ(read->version, 0x01020304u);
    // What is left has no room for one more.
    if (fours > RoutesMessage::kMost) {
      EXPECT_EQ(read->networks.size(), RoutesMessage::kMost);
    } else {
      EXPECT_LT(kMaxControlBody - body.size(), 18u) << fours;
      EXPECT_GE(read->networks.size(), fours);
    }
  }
}

// The order counts, since an answer names an index: a short one does not slip
// into the room that a long one leaves.
TEST(RoutesMessages, WhatDoesNotFitEndsTheList) {
  std::vector<IpPrefix> networks(56, kSix);  // 5 + 56 * 18 = 1013
  networks.push_back(kSix);
  networks.push_back(kFour);
  EXPECT_EQ(RoutesMessage::Fitting(networks), 56u);
  networks[56] = kFour;
  EXPECT_EQ(RoutesMessage::Fitting(networks), 57u) << "1019, and 5 are left";
  const auto read = RoutesMessage::Parse(
      RoutesMessage{.version = 1, .networks = networks}.Build());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->networks,
            std::vector<IpPrefix>(networks.begin(), networks.begin() + 57));
}

TEST(RoutesMessages, NoPartOfAListIsAList) {
  const ByteVector whole = ListOf(2, 2);
  ASSERT_TRUE(RoutesMessage::Parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(RoutesMessage::Parse(ByteSpan(whole).first(size))) << size;
  }
  ByteVector more = whole;
  more.push_back(0);
  EXPECT_FALSE(RoutesMessage::Parse(more));
}

TEST(RoutesMessages, TheCountIsOfWhatFollows) {
  for (const uint8_t count : {0, 1, 3, 4, 6, 255}) {
    ByteVector body = ListOf(3, 2);
    body[4] = count;
    EXPECT_FALSE(RoutesMessage::Parse(body)) << int{count};
  }
  // Of the largest count nothing is there.
  EXPECT_FALSE(RoutesMessage::Parse(ByteVector{0, 0, 0, 1, 255}));
  const auto none = RoutesMessage::Parse(ByteVector{0, 0, 0, 1, 0});
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->networks.empty());
}

TEST(RoutesMessages, EachLengthOfAFamilyAndNoMore) {
  ByteVector four = ListOf(1, 0);
  ByteVector six = ListOf(0, 1);
  for (int length = 0; length <= UINT8_MAX; ++length) {
    four[6] = six[6] = static_cast<uint8_t>(length);
    EXPECT_EQ(RoutesMessage::Parse(four).has_value(), length <= 32) << length;
    EXPECT_EQ(RoutesMessage::Parse(six).has_value(), length <= 128) << length;
  }
}

TEST(RoutesMessages, OfFamiliesThereAreTwo) {
  for (int family = 0; family <= UINT8_MAX; ++family) {
    for (ByteVector body : {ListOf(1, 0), ListOf(0, 1)}) {
      const bool same = body[5] == family;
      body[5] = static_cast<uint8_t>(family);
      EXPECT_EQ(RoutesMessage::Parse(body).has_value(), same) << family;
    }
  }
}

// They are refused by their code, not by the end of the session.
TEST(RoutesMessages, HostBitsAndTheDefaultRouteAreRead) {
  for (const char* text : {"10.1.2.3/8", "0.0.0.0/0", "fd01::1/16", "::/0",
                           "255.255.255.255/32", "127.0.0.1/32"}) {
    const IpPrefix network = *ParseIpPrefix(text);
    const auto read = RoutesMessage::Parse(
        RoutesMessage{.version = UINT32_MAX, .networks = {network}}.Build());
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->version, UINT32_MAX);
    EXPECT_EQ(read->networks, std::vector<IpPrefix>{network}) << text;
  }
}

TEST(RoutesMessages, AnAnswerNamesAnyIndexAndAnyCodeButNone) {
  for (int code = 0; code <= UINT8_MAX; ++code) {
    const ByteVector body = {0, 0, 0, 9, 1, 255, static_cast<uint8_t>(code)};
    const auto read = RoutesAnswer::Parse(body);
    ASSERT_EQ(read.has_value(), code != 0) << code;
    if (!read) continue;
    EXPECT_EQ(read->version, 9u);
    EXPECT_EQ(read->refused, (std::vector<RoutesAnswer::Refused>{
                                 {255, static_cast<RouteCode>(code)}}));
    EXPECT_EQ(read->Build(), body);
  }
}

TEST(RoutesMessages, NoPartOfAnAnswerIsAnAnswer) {
  RoutesAnswer answer{.version = 7, .refused = {}};
  for (uint8_t index = 0; index < 5; ++index) {
    answer.refused.push_back({index, RouteCode::kTooMany});
  }
  const ByteVector whole = answer.Build();
  ASSERT_TRUE(RoutesAnswer::Parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(RoutesAnswer::Parse(ByteSpan(whole).first(size))) << size;
  }
  ByteVector more = whole;
  more.push_back(1);
  EXPECT_FALSE(RoutesAnswer::Parse(more));
  more.push_back(1);
  EXPECT_FALSE(RoutesAnswer::Parse(more)) << "one more than the count";
}

TEST(RoutesMessages, AnAnswerToTheLongestListFits) {
  RoutesAnswer answer{.version = 7, .refused = {}};
  for (size_t index = 0; index < RoutesMessage::kMost; ++index) {
    answer.refused.push_back(
        {static_cast<uint8_t>(index), RouteCode::kTooMany});
  }
  const ByteVector body = answer.Build();
  EXPECT_LE(body.size(), kMaxControlBody);
  EXPECT_EQ(RoutesAnswer::Parse(body)->refused, answer.refused);
  // A count has one byte: of more, those that it can name.
  answer.refused.resize(300, {1, RouteCode::kReserved});
  EXPECT_EQ(RoutesAnswer::Parse(answer.Build())->refused.size(), 255u);
}

// What is read is built again as it came.
TEST(RoutesMessages, OfRandomBytesWhatIsReadIsTheSameOnesBuilt) {
  std::mt19937 random(7);
  size_t lists = 0;
  size_t answers = 0;
  for (int round = 0; round < 50'000; ++round) {
    ByteVector body(5 + random() % 40);
    for (uint8_t& byte : body) byte = static_cast<uint8_t>(random());
    body[4] = static_cast<uint8_t>(random() % 4);
    for (size_t at = 5; at + 1 < body.size();) {
      const bool four = random() % 2 == 0;
      body[at] = four ? 4 : 6;
      body[at + 1] %= 40;
      at += four ? 6 : 18;
    }
    if (const auto list = RoutesMessage::Parse(body)) {
      ++lists;
      EXPECT_EQ(list->Build(), body);
    }
    if (const auto answer = RoutesAnswer::Parse(body)) {
      ++answers;
      EXPECT_EQ(answer->Build(), body);
    }
  }
  EXPECT_GT(lists, 100u) << "else nothing is tried";
  EXPECT_GT(answers, 100u);
}

}  // namespace
}  // namespace lwt::handshake
