// Who has which tunnel address, and for how long after it is gone.
#include "control/hub/address_book.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lwt::peer {
namespace {

using handshake::PublicKey;
using handshake::VerdictCode;

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint64_t kWallClockMs = 1'750'000'000'000;

PublicKey KeyOf(uint32_t number) {
  PublicKey key{};
  for (size_t i = 0; i < 4; ++i) key[i] = static_cast<uint8_t>(number >> 8 * i);
  return key;
}
IpPrefix Net(const std::string& text) { return *ParseIpPrefix(text); }
IpAddress Ip(const std::string& text) { return *ParseIpAddress(text); }

class HoldTest : public testing::Test {
 protected:
  VerdictCode Asks(uint32_t key, const std::string& address) {
    return book_.Check(KeyOf(key), {Net(address)}, now_us_).code;
  }
  bool MayHave(uint32_t key, const std::string& address) {
    return Asks(key, address) == VerdictCode::kAccepted;
  }
  void Bind(uint32_t key, const std::string& address,
            const std::string& source = "192.0.2.1") {
    ASSERT_TRUE(MayHave(key, address)) << address;
    book_.Bind(KeyOf(key), {Net(address)}, Ip(source), now_us_);
  }
  // Comes, stays for `for_us`, goes.
  void Visit(uint32_t key, const std::string& address, uint64_t for_us,
             const std::string& source = "192.0.2.1") {
    Bind(key, address, source);
    now_us_ += for_us;
    book_.Release(KeyOf(key), now_us_);
  }
  std::vector<HeldAddress> Held() const {
    return book_.Held(now_us_, kWallClockMs);
  }

  AddressBook book_{{Net("10.0.0.1/16"), Net("fd00::1/64")}};
  uint64_t now_us_ = kSecondUs;
};

TEST_F(HoldTest, WhoStayedForAMinuteHasItForADay) {
  Visit(1, "10.0.0.2", AddressBook::kEarnUs - 1);
  EXPECT_TRUE(MayHave(2, "10.0.0.2")) << "that was too short";
  Visit(1, "10.0.0.2", AddressBook::kEarnUs);
  EXPECT_FALSE(MayHave(2, "10.0.0.2"));
  EXPECT_TRUE(MayHave(1, "10.0.0.2")) << "the owner may come back";
  now_us_ += AddressBook::kHoldUs;
  EXPECT_TRUE(MayHave(2, "10.0.0.2"));
}

TEST_F(HoldTest, WhatWasEarnedOnceIsKeptByShortVisits) {
  Visit(1, "10.0.0.2", AddressBook::kEarnUs);
  now_us_ += AddressBook::kHoldUs / 2;
  Visit(1, "10.0.0.2", kSecondUs);
  now_us_ += AddressBook::kHoldUs - 1;
  EXPECT_FALSE(MayHave(2, "10.0.0.2")) << "a day from its last visit";
  now_us_ += 1;
  Visit(1, "10.0.0.2", kSecondUs);
  EXPECT_TRUE(MayHave(2, "10.0.0.2")) << "the hold was over: it begins again";
}

TEST_F(HoldTest, AKeyThatTakesAnotherAddressFreesTheOneBefore) {
  Bind(1, "10.0.0.2");
  Bind(1, "10.0.0.3");
  EXPECT_TRUE(MayHave(2, "10.0.0.2"));
  EXPECT_FALSE(MayHave(2, "10.0.0.3"));
  EXPECT_EQ(Held().size(), 1u);
}

TEST_F(HoldTest, BothFamiliesAreOneKeys) {
  book_.Bind(KeyOf(1), {Net("10.0.0.2"), Net("fd00::2")}, Ip("192.0.2.1"),
             now_us_);
  EXPECT_EQ(Asks(2, "10.0.0.2"), VerdictCode::kAddressTaken);
  EXPECT_EQ(Asks(2, "fd00::2"), VerdictCode::kAddressTaken);
  now_us_ += AddressBook::kEarnUs;
  book_.Release(KeyOf(1), now_us_);
  EXPECT_EQ(Held().size(), 2u);
  // Coming back with one of them gives the other up.
  Bind(1, "fd00::2");
  EXPECT_TRUE(MayHave(2, "10.0.0.2"));
  EXPECT_FALSE(MayHave(2, "fd00::2"));
}

TEST_F(HoldTest, TheVerdictSaysWhatToDo) {
  Bind(1, "10.0.0.2");
  const struct {
    const char* address;
    VerdictCode code;
    std::string text;
  } rows[] = {
      {"10.0.0.1", VerdictCode::kAddressTaken,
       "10.0.0.1 is the hub's own tunnel address; choose another one"},
      {"10.0.0.2", VerdictCode::kAddressTaken,
       "10.0.0.2 belongs to another client; choose another one, or free it on "
       "the hub: lwtctl peer forget 10.0.0.2"},
      {"10.1.0.2", VerdictCode::kAddressOutsideNetwork,
       "10.1.0.2 is not a host of the hub's tunnel network 10.0.0.0/16, "
       "fd00::/64"},
      {"10.0.255.255", VerdictCode::kAddressOutsideNetwork,
       "10.0.255.255 is not a host of the hub's tunnel network 10.0.0.0/16, "
       "fd00::/64"},
      {"fd00::", VerdictCode::kAddressOutsideNetwork,
       "fd00:: is not a host of the hub's tunnel network 10.0.0.0/16, "
       "fd00::/64"},
      {"fd00::ffff:ffff:ffff:ffff", VerdictCode::kAccepted, ""},
  };
  for (const auto& row : rows) {
    const auto verdict = book_.Check(KeyOf(9), {Net(row.address)}, now_us_);
    EXPECT_EQ(verdict.code, row.code) << row.address;
    EXPECT_EQ(verdict.text, row.text);
  }
  // One that is bad spoils the other.
  EXPECT_NE(
      book_.Check(KeyOf(9), {Net("10.0.0.9"), Net("fd01::2")}, now_us_).code,
      VerdictCode::kAccepted);
}

// A holder of the shared key who makes keys without end.
TEST_F(HoldTest, OfOneNetworkOnlySoManyAreHeldForWhoIsAway) {
  constexpr uint32_t kMost = AddressBook::kMaxAwayOfNetwork;
  const auto address = [](uint32_t number) {
    return "10.0.1." + std::to_string(number);
  };
  for (uint32_t number = 1; number <= kMost + 5; ++number) {
    // From all over its /24.
    Visit(number, address(number), AddressBook::kEarnUs,
          "192.0.2." + std::to_string(number));
  }
  EXPECT_EQ(Held().size(), kMost);
  EXPECT_FALSE(MayHave(999, address(kMost)));
  EXPECT_TRUE(MayHave(999, address(kMost + 1)));
  // Another network is not hurt by it.
  Visit(500, "10.0.2.1", AddressBook::kEarnUs, "198.51.100.7");
  EXPECT_FALSE(MayHave(999, "10.0.2.1"));
  // One that is forgotten makes room for the next of that network.
  EXPECT_EQ(book_.Forget(Net(address(3) + "/32")).size(), 1u);
  Visit(600, "10.0.2.2", AddressBook::kEarnUs, "192.0.2.99");
  EXPECT_FALSE(MayHave(999, "10.0.2.2"));
  Visit(601, "10.0.2.3", AddressBook::kEarnUs, "192.0.2.99");
  EXPECT_TRUE(MayHave(999, "10.0.2.3"));
}

TEST_F(HoldTest, RoomOfANetworkComesBackWithTheEndOfItsHolds) {
  for (uint32_t number = 1; number <= AddressBook::kMaxAwayOfNetwork;
       ++number) {
    Visit(number, "fd00::" + std::to_string(number + 1), AddressBook::kEarnUs,
          "2001:db8:7:" + std::to_string(number) + "::1");  // one /48
  }
  Visit(100, "fd00::ff00", AddressBook::kEarnUs, "2001:db8:7::1");
  EXPECT_TRUE(MayHave(999, "fd00::ff00"));
  now_us_ += AddressBook::kHoldUs;
  Visit(100, "fd00::ff00", AddressBook::kEarnUs, "2001:db8:7::1");
  EXPECT_FALSE(MayHave(999, "fd00::ff00"));
}

TEST_F(HoldTest, ForgettingNamesWhatItFrees) {
  Bind(1, "10.0.0.2");
  Bind(2, "10.0.0.3");
  Bind(3, "10.0.9.9");
  const uint64_t before = book_.version();
  EXPECT_TRUE(book_.Forget(Net("10.0.5.0/24")).empty());
  EXPECT_TRUE(book_.Forget(KeyOf(77)).empty());
  EXPECT_EQ(book_.version(), before) << "nothing changed, nothing is written";
  const auto range = book_.Forget(Net("10.0.0.0/24"));
  ASSERT_EQ(range.size(), 2u);
  EXPECT_EQ(range[0].address, Ip("10.0.0.2"));
  EXPECT_EQ(range[0].key, KeyOf(1));
  EXPECT_EQ(range[1].key, KeyOf(2));
  EXPECT_GT(book_.version(), before);
  EXPECT_EQ(book_.Forget(KeyOf(3)).size(), 1u);
  EXPECT_TRUE(Held().empty());
  // Who is forgotten while connected has nothing left to release.
  book_.Release(KeyOf(1), now_us_ + AddressBook::kEarnUs);
  EXPECT_TRUE(Held().empty());
}

TEST_F(HoldTest, WhatIsHeldOutlivesTheRun) {
  Visit(1, "10.0.0.2", AddressBook::kEarnUs);
  now_us_ += AddressBook::kHoldUs / 4;
  Bind(2, "10.0.0.3");
  const auto held = Held();
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0].until_unix_ms,
            kWallClockMs + AddressBook::kHoldUs / 4 * 3 / 1000);
  EXPECT_EQ(held[1].until_unix_ms, HeldAddress::kConnected);

  AddressBook next{{Net("10.0.0.1/16")}};
  const uint64_t start_us = 5 * kSecondUs;  // another clock
  next.Restore(held, start_us, kWallClockMs + 1000);
  const auto may_have = [&](uint32_t key, const char* address, uint64_t at) {
    return next.Check(KeyOf(key), {Net(address)}, at).code ==
           VerdictCode::kAccepted;
  };
  const uint64_t end_us = start_us + AddressBook::kHoldUs / 4 * 3 - kSecondUs;
  EXPECT_FALSE(may_have(9, "10.0.0.2", end_us - 1));
  EXPECT_TRUE(may_have(9, "10.0.0.2", end_us));
  // Who was connected has a day from now.
  EXPECT_FALSE(may_have(9, "10.0.0.3", start_us + AddressBook::kHoldUs - 1));
  EXPECT_TRUE(may_have(2, "10.0.0.3", start_us));
}

TEST_F(HoldTest, NoClockMakesAHoldLongerThanADay) {
  const auto restored = [&](uint64_t until_unix_ms) {
    AddressBook next{{Net("10.0.0.1/16")}};
    next.Restore({{Ip("10.0.0.2"), KeyOf(1), until_unix_ms}}, now_us_,
                 kWallClockMs);
    const auto held = next.Held(now_us_, kWallClockMs);
    return held.empty() ? 0 : held[0].until_unix_ms - kWallClockMs;
  };
  constexpr uint64_t kDayMs = AddressBook::kHoldUs / 1000;
  EXPECT_EQ(restored(kWallClockMs + 5000), 5000u);
  EXPECT_EQ(restored(kWallClockMs), 0u);
  EXPECT_EQ(restored(kWallClockMs - 1), 0u) << "over while nothing ran";
  EXPECT_EQ(restored(kWallClockMs + 10 * kDayMs), kDayMs)
      << "the clock went back";
  EXPECT_EQ(restored(UINT64_MAX), kDayMs);
  EXPECT_EQ(restored(HeldAddress::kConnected), kDayMs);
}

TEST_F(HoldTest, AnAddressThatAFileHasTwiceIsTheLastOnes) {
  book_.Restore({{Ip("10.0.0.2"), KeyOf(1)}, {Ip("10.0.0.2"), KeyOf(2)}},
                now_us_, kWallClockMs);
  EXPECT_TRUE(MayHave(2, "10.0.0.2"));
  EXPECT_FALSE(MayHave(1, "10.0.0.2"));
  EXPECT_TRUE(book_.Forget(KeyOf(1)).empty());
  EXPECT_EQ(book_.Forget(KeyOf(2)).size(), 1u);
}

TEST_F(HoldTest, AtTheEndAllWhoAreThereAreHeld) {
  Bind(1, "10.0.0.2");  // a moment ago
  book_.ReleaseAll(now_us_);
  const auto held = Held();
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].until_unix_ms, kWallClockMs + AddressBook::kHoldUs / 1000);
}

// However many keys there are, what is kept stays bounded, and whoever is
// connected is the last to go.
TEST_F(HoldTest, WhenTheBookIsFullTheSoonestFreeGoFirst) {
  std::vector<HeldAddress> held;
  for (uint32_t i = 0; i < AddressBook::kMaxBindings; ++i) {
    IpAddress address = Ip("fd00::");
    for (size_t byte = 0; byte < 4; ++byte) {
      address.bytes[15 - byte] = static_cast<uint8_t>((i + 2) >> 8 * byte);
    }
    held.push_back({address, KeyOf(i + 100), kWallClockMs + 1000 + i});
  }
  book_.Restore(held, now_us_, kWallClockMs);
  ASSERT_EQ(Held().size(), AddressBook::kMaxBindings);
  Bind(1, "10.0.0.2");
  EXPECT_EQ(Held().size(), AddressBook::kMaxBindings);
  EXPECT_TRUE(book_.Forget(KeyOf(100)).empty()) << "it was the next to be free";
  EXPECT_EQ(book_.Forget(KeyOf(101)).size(), 1u);
  // Once some are over they make room, and no others have to.
  now_us_ += 2 * kSecondUs;
  Bind(2, "10.0.0.3");
  EXPECT_FALSE(MayHave(9, "10.0.0.2"));
  EXPECT_FALSE(MayHave(9, "10.0.0.3"));
}

// The search begins where the key says, and ends where all are taken.
TEST(LeaseBookTest, FindsTheLastFreeAddress) {
  AddressBook book({*ParseIpPrefix("10.0.0.1/28")});
  std::set<std::string> leased;
  for (uint8_t i = 0; i < 13; ++i) {
    const PublicKey key = {0, 9, i};
    const auto verdict = book.Lease(key, 0);
    ASSERT_EQ(verdict.code, VerdictCode::kAccepted) << verdict.text;
    ASSERT_EQ(verdict.lease.size(), 1u);
    EXPECT_TRUE(leased.insert(ToString(verdict.lease[0])).second);
    book.Bind(key, verdict.lease, *ParseIpAddress("192.0.2.1"), 0);
  }
  EXPECT_TRUE(leased.contains("10.0.0.14/28"));
  EXPECT_FALSE(leased.contains("10.0.0.15/28"));
  EXPECT_EQ(book.Lease({0, 9, 99}, 0).code, VerdictCode::kNoAddressFree);
  // Looking changes nothing; who has one is told the same.
  EXPECT_EQ(book.Lease({0, 9, 3}, 0).lease, book.Lease({0, 9, 3}, 0).lease);
  book.Release({0, 9, 3}, 0);  // it earned no hold
  EXPECT_EQ(book.Lease({0, 9, 99}, 0).code, VerdictCode::kAccepted);
}

TEST(LeaseBookTest, AFamilyThatThePoolDoesNotNameIsLeasedWhole) {
  AddressBook book(
      {*ParseIpPrefix("10.0.0.1/24"), *ParseIpPrefix("fd00::1/64")});
  book.SetPool({*ParseIpPrefix("10.0.0.128/25")});
  const auto verdict = book.Lease({0, 9}, 0);
  ASSERT_EQ(verdict.lease.size(), 2u) << verdict.text;
  EXPECT_EQ(ToString(verdict.lease[0]), "10.0.0.137/24");
  EXPECT_EQ(ToString(verdict.lease[1]), "fd00::9/64");
}

// Even where nothing was kept of it.
TEST(LeaseBookTest, AKeysAddressIsTheSameInEveryBook) {
  const std::vector<IpPrefix> own = {*ParseIpPrefix("10.0.0.1/8"),
                                     *ParseIpPrefix("fd00::1/64")};
  const PublicKey key = {0x12, 0x34};
  const auto first = AddressBook(own).Lease(key, 0).lease;
  EXPECT_EQ(first, AddressBook(own).Lease(key, 5).lease);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(ToString(first[0]), "10.0.18.52/8");
  EXPECT_EQ(ToString(first[1]), "fd00::1234/64");
}

}  // namespace
}  // namespace lwt::peer
