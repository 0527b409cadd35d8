// What a hub remembers of tunnel addresses: the text, the file, and the book
// that is filled from it.

#include "control/hub/held_addresses.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "control/base/files.h"
#include "control/hub/address_book.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::peer {
namespace {

using handshake::PublicKey;
using handshake::VerdictCode;

constexpr uint64_t kUnixMs = 1'750'000'000'000;
constexpr uint64_t kDayMs = 24 * 3600 * 1000;
// The key of 32 bytes 0x01 … in base64.
constexpr std::string_view kText =
    "lightweight-tunnel addresses 1\n"
    "10.0.0.2 AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= connected\n"
    "fd00::2 AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 1750000001000\n";

IpAddress Address(const char* text) { return *ParseIpAddress(text); }

std::vector<HeldAddress> Golden() {
  return {{Address("10.0.0.2"), PublicKey{1}, HeldAddress::kConnected},
          {Address("fd00::2"), PublicKey{2}, kUnixMs + 1000}};
}

std::string Line(std::string_view line) {
  return "lightweight-tunnel addresses 1\n" + std::string(line);
}

TEST(HeldAddressesTest, TextIsGolden) {
  EXPECT_EQ(FormatHeldAddresses(Golden()), kText);
  EXPECT_EQ(ParseHeldAddresses(kText), Golden());
  EXPECT_EQ(ParseHeldAddresses(Line("")), std::vector<HeldAddress>());
}

TEST(HeldAddressesTest, RefusesWhatItWouldNotWrite) {
  const std::string key = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  EXPECT_TRUE(ParseHeldAddresses(Line("10.0.0.2 " + key + " 7\n")));
  for (const std::string& text :
       {std::string(), std::string("lightweight-tunnel addresses 2\n"),
        Line("\n"), Line("10.0.0.2\n"), Line("10.0.0.2 " + key + "\n"),
        Line("10.0.0.2 " + key + " \n"), Line("10.0.0.2 " + key + " 0\n"),
        Line("10.0.0.2 " + key + " -1\n"),
        Line("10.0.0.2 " + key + " 99999999999999999999\n"),
        Line("10.0.0.2 " + key + " connected now\n"),
        Line("10.0.0 " + key + " 7\n"), Line("10.0.0.2 " + key + "= 7\n"),
        Line("10.0.0.2 AQ== 7\n"), Line("10.0.0.2  " + key + " 7\n")}) {
    EXPECT_FALSE(ParseHeldAddresses(text)) << text;
  }
}

TEST(HeldAddressesTest, HoldsNoMoreThanItsBound) {
  std::vector<HeldAddress> many(kMaxHeldAddresses, Golden()[0]);
  EXPECT_TRUE(ParseHeldAddresses(FormatHeldAddresses(many)));
  many.push_back(many[0]);
  EXPECT_FALSE(ParseHeldAddresses(FormatHeldAddresses(many)));
}

TEST(HeldAddressesTest, FileIsReadBackAndPrivate) {
  host::ScratchDir dir;
  const auto none = LoadHeldAddresses(dir.path());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
  ASSERT_TRUE(host::ReplaceFile(HeldAddressesPath(dir.path()),
                                FormatHeldAddresses(Golden()))
                  .ok());
  struct stat status;
  ASSERT_EQ(stat((dir.path() + "/addresses").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto again = LoadHeldAddresses(dir.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, Golden());
}

TEST(HeldAddressesTest, AFileOfALaterVersionIsRefusedAndStays) {
  host::ScratchDir dir;
  const std::string path = HeldAddressesPath(dir.path());
  constexpr std::string_view kLater = "lightweight-tunnel addresses 2\nmore\n";
  ASSERT_TRUE(host::ReplaceFile(path, kLater).ok());
  const auto held = LoadHeldAddresses(dir.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(held.status())) << held.status();
  EXPECT_EQ(*host::ReadFile(path), kLater);
}

TEST(HeldAddressesTest, FileOfRubbishIsMovedAside) {
  host::ScratchDir dir;
  ASSERT_TRUE(host::ReplaceFile(dir.path() + "/addresses", "rubbish").ok());
  const auto first = LoadHeldAddresses(dir.path());
  EXPECT_NE(first.status().message().find("addresses.bad"), std::string::npos)
      << first.status();
  EXPECT_EQ(*host::ReadFile(dir.path() + "/addresses.bad"), "rubbish");
  const auto second = LoadHeldAddresses(dir.path());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(second->empty());
  EXPECT_FALSE(LoadHeldAddresses(dir.path() + "/addresses.bad").ok());
}

class BookTest : public testing::Test {
 protected:
  static AddressBook Empty() { return AddressBook({*ParseIpPrefix(kOwn)}); }
  static VerdictCode CodeFor(const AddressBook& book, uint8_t key,
                             uint64_t now_us) {
    return book.Check(PublicKey{key}, {kWanted}, now_us).code;
  }

  static constexpr std::string_view kOwn = "10.0.0.1/24";
  static inline const IpAddress kSource = *ParseIpAddress("192.0.2.7");
  static inline const IpPrefix kWanted = *ParseIpPrefix("10.0.0.2/24");
};

TEST_F(BookTest, GivesWhatIsHeldAndForHowLong) {
  AddressBook book = Empty();
  EXPECT_EQ(book.version(), 0u);
  book.Bind(PublicKey{1}, {kWanted}, kSource, 0);
  book.Bind(PublicKey{2}, {*ParseIpPrefix("10.0.0.3/24")}, kSource, 0);
  constexpr uint64_t kLeft = AddressBook::kEarnUs;
  book.Release(PublicKey{2}, kLeft);
  EXPECT_EQ(book.version(), 3u);
  const std::vector<HeldAddress> held = book.Held(kLeft + 1'000'000, kUnixMs);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0], (HeldAddress{Address("10.0.0.2"), PublicKey{1},
                                  HeldAddress::kConnected}));
  EXPECT_EQ(held[1], (HeldAddress{Address("10.0.0.3"), PublicKey{2},
                                  kUnixMs + kDayMs - 1000}));
  // What is over is not kept.
  const uint64_t later_us = kLeft + AddressBook::kHoldUs;
  EXPECT_EQ(book.Held(later_us, kUnixMs).size(), 1u);
  ASSERT_EQ(book.Forget(*ParseIpPrefix("10.0.0.2/32")).size(), 1u);
  EXPECT_EQ(book.version(), 4u);
  EXPECT_TRUE(book.Held(later_us, kUnixMs).empty());
}

TEST_F(BookTest, OneSiteHoldsSoManyFromAllOfItsNetworks) {
  AddressBook book = Empty();
  IpAddress site = *ParseIpAddress("2001:db8:77::1");
  for (uint8_t i = 2; i < 200; ++i) {
    IpPrefix prefix = kWanted;
    prefix.address.bytes[3] = i;
    site.bytes[6] = i;
    book.Bind(PublicKey{i}, {prefix}, site, 0);
    book.Release(PublicKey{i}, AddressBook::kEarnUs);
  }
  EXPECT_EQ(book.Held(AddressBook::kEarnUs, kUnixMs).size(),
            AddressBook::kMaxAwayOfNetwork);
}

TEST_F(BookTest, ForgetsARangeOrAKeysAddresses) {
  AddressBook book = Empty();
  for (uint8_t i = 2; i < 10; ++i) {
    IpPrefix prefix = kWanted;
    prefix.address.bytes[3] = i;
    book.Bind(PublicKey{i}, {prefix}, kSource, 0);
  }
  const uint64_t version = book.version();
  EXPECT_TRUE(book.Forget(*ParseIpPrefix("10.0.1.0/24")).empty());
  EXPECT_TRUE(book.Forget(PublicKey{99}).empty());
  EXPECT_EQ(book.version(), version) << "nothing changed";
  const auto four = book.Forget(*ParseIpPrefix("10.0.0.4/30"));
  ASSERT_EQ(four.size(), 4u);
  EXPECT_EQ(four[0].address, Address("10.0.0.4"));
  EXPECT_EQ(four[0].key, PublicKey{4});
  ASSERT_EQ(book.Forget(PublicKey{9}).size(), 1u);
  EXPECT_EQ(book.Held(0, kUnixMs).size(), 3u);
}

// One holder of the shared key, with as many static keys as it likes.
TEST_F(BookTest, KeysThatComeAndGoUseUpNoAddresses) {
  AddressBook book = Empty();
  uint64_t now_us = 0;
  for (uint8_t i = 2; i < 254; ++i) {
    IpPrefix prefix = kWanted;
    prefix.address.bytes[3] = i;
    book.Bind(PublicKey{i}, {prefix}, kSource, now_us);
    now_us += 100'000;
    book.Release(PublicKey{i}, now_us);
  }
  EXPECT_TRUE(book.Held(now_us, kUnixMs).empty());
}

TEST_F(BookTest, OfOneNetworkSoManyAreHeldAndNobodysHoldIsShortened) {
  AddressBook book = Empty();
  uint64_t now_us = 0;
  const auto come_and_go = [&](uint8_t i, const IpAddress& source) {
    IpPrefix prefix = kWanted;
    prefix.address.bytes[3] = i;
    book.Bind(PublicKey{i}, {prefix}, source, now_us);
    now_us += AddressBook::kEarnUs;
    book.Release(PublicKey{i}, now_us);
  };
  for (uint8_t i = 2; i < 200; ++i) come_and_go(i, kSource);
  const auto held = book.Held(now_us, kUnixMs);
  ASSERT_EQ(held.size(), AddressBook::kMaxAwayOfNetwork);
  EXPECT_EQ(held.front().key, PublicKey{2}) << "the first are not pushed out";
  come_and_go(200, Address("198.51.100.9"));
  EXPECT_EQ(book.Held(now_us, kUnixMs).size(), held.size() + 1)
      << "another network's";
  // A holder that comes again and leaves soon is one still.
  book.Bind(PublicKey{2}, {kWanted}, kSource, now_us);
  book.Release(PublicKey{2}, now_us + 1);
  EXPECT_EQ(book.Held(now_us + 1, kUnixMs).size(), held.size() + 1);
}

TEST_F(BookTest, NeverHoldsMoreThanItsFileMay) {
  std::vector<HeldAddress> full;
  for (uint32_t i = 0; i < kMaxHeldAddresses; ++i) {
    HeldAddress held{Address("fd00::"), PublicKey{1}, kUnixMs + 1000 + i};
    held.address.bytes[13] = static_cast<uint8_t>(i >> 16);
    held.address.bytes[14] = static_cast<uint8_t>(i >> 8);
    held.address.bytes[15] = static_cast<uint8_t>(i);
    held.key[0] = static_cast<uint8_t>(i);
    held.key[1] = static_cast<uint8_t>(i >> 8);
    held.key[2] = 1;
    full.push_back(held);
  }
  AddressBook book(
      {*ParseIpPrefix("10.0.0.1/24"), *ParseIpPrefix("fd00::/64")});
  book.Restore(full, 0, kUnixMs);
  for (uint8_t i = 12; i < 60; ++i) {
    IpPrefix prefix = kWanted;
    prefix.address.bytes[3] = i;
    IpPrefix second{Address("fe80::1"), 64};
    second.address.bytes[14] = i;
    book.Bind(PublicKey{i}, {prefix, second}, kSource, 0);
  }
  const auto held = book.Held(0, kUnixMs);
  EXPECT_EQ(held.size(), kMaxHeldAddresses);
  EXPECT_TRUE(ParseHeldAddresses(FormatHeldAddresses(held)));
}

TEST_F(BookTest, RestoresWithTheTimeThatIsLeft) {
  AddressBook book = Empty();
  book.Restore({{kWanted.address, PublicKey{1}, kUnixMs + 1000}}, 0, kUnixMs);
  EXPECT_EQ(CodeFor(book, 1, 0), VerdictCode::kAccepted);
  EXPECT_EQ(CodeFor(book, 2, 999'999), VerdictCode::kAddressTaken);
  EXPECT_EQ(CodeFor(book, 2, 1'000'000), VerdictCode::kAccepted);
}

TEST_F(BookTest, WhoWasConnectedHasADayFromTheStart) {
  AddressBook book = Empty();
  book.Restore({{kWanted.address, PublicKey{1}, HeldAddress::kConnected}}, 7,
               kUnixMs);
  EXPECT_EQ(CodeFor(book, 2, 6 + AddressBook::kHoldUs),
            VerdictCode::kAddressTaken);
  EXPECT_EQ(CodeFor(book, 2, 7 + AddressBook::kHoldUs), VerdictCode::kAccepted);
}

TEST_F(BookTest, AClockSetBackHoldsNothingForLonger) {
  AddressBook book = Empty();
  book.Restore({{kWanted.address, PublicKey{1}, UINT64_MAX}}, 0, kUnixMs);
  EXPECT_EQ(CodeFor(book, 2, AddressBook::kHoldUs - 1),
            VerdictCode::kAddressTaken);
  EXPECT_EQ(CodeFor(book, 2, AddressBook::kHoldUs), VerdictCode::kAccepted);
}

TEST_F(BookTest, WhatWasOverBeforeTheStartIsFree) {
  AddressBook book = Empty();
  book.Restore({{kWanted.address, PublicKey{1}, kUnixMs}}, 0, kUnixMs);
  EXPECT_EQ(CodeFor(book, 2, 0), VerdictCode::kAccepted);
  EXPECT_TRUE(book.Held(0, kUnixMs).empty());
}

}  // namespace
}  // namespace lwt::peer
