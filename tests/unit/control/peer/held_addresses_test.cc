// What a hub remembers of tunnel addresses: the text, the file, and the book
// that is filled from it.

#include "control/peer/held_addresses.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "control/host/files.h"
#include "control/peer/address_book.h"
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
  ASSERT_TRUE(StoreHeldAddresses(dir.path(), Golden()).ok());
  struct stat status;
  ASSERT_EQ(stat((dir.path() + "/addresses").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto again = LoadHeldAddresses(dir.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, Golden());
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
  static inline const IpPrefix kWanted = *ParseIpPrefix("10.0.0.2/24");
};

TEST_F(BookTest, GivesWhatIsHeldAndForHowLong) {
  AddressBook book = Empty();
  EXPECT_EQ(book.version(), 0u);
  book.Bind(PublicKey{1}, {kWanted});
  book.Bind(PublicKey{2}, {*ParseIpPrefix("10.0.0.3/24")});
  book.Release(PublicKey{2}, 5'000'000);
  EXPECT_EQ(book.version(), 3u);
  const std::vector<HeldAddress> held = book.Held(6'000'000, kUnixMs);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(held[0], (HeldAddress{Address("10.0.0.2"), PublicKey{1},
                                  HeldAddress::kConnected}));
  EXPECT_EQ(held[1], (HeldAddress{Address("10.0.0.3"), PublicKey{2},
                                  kUnixMs + kDayMs - 1000}));
  // What is over is not kept.
  const uint64_t later_us = 5'000'000 + AddressBook::kHoldUs;
  EXPECT_EQ(book.Held(later_us, kUnixMs).size(), 1u);
  ASSERT_TRUE(book.Forget(Address("10.0.0.2")));
  EXPECT_EQ(book.version(), 4u);
  EXPECT_TRUE(book.Held(later_us, kUnixMs).empty());
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
