#include "control/nat/stun.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lwt::nat {
namespace {

using ::testing::ElementsAre;

class StunTest : public ::testing::Test {
 protected:
  StunTest() { handshake::InitCrypto(); }

  static Endpoint At(const char* text) { return *ParseEndpoint(text); }
  static handshake::ByteVector FromHex(std::string_view hex) {
    handshake::ByteVector bytes(hex.size() / 2);
    EXPECT_EQ(sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(),
                             nullptr, nullptr, nullptr),
              0);
    return bytes;
  }

  const handshake::SecretKey key_ =
      StunKeyOf(handshake::SecretKey(handshake::Sha256({})));
  const TransactionId id_ = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
};

// RFC 5769 §2.2 and §2.3: proven by SHA-1, which nobody here can check, with
// addresses and fingerprints, which everybody can.
TEST_F(StunTest, ReadsTheSampleResponses) {
  const auto ipv4 = ParseStun(FromHex(
      "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
      "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
      "80280004c07d4c96"));
  ASSERT_TRUE(ipv4);
  EXPECT_EQ(ipv4->kind, StunKind::kSuccess);
  EXPECT_EQ(ipv4->mapped, At("192.0.2.1:32853"));
  EXPECT_TRUE(ipv4->unknown.empty());
  EXPECT_FALSE(ipv4->integrity);
  const auto ipv6 = ParseStun(FromHex(
      "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
      "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
      "1784c97c8292c275bfe3ed4180280004c8fb0b4c"));
  ASSERT_TRUE(ipv6);
  EXPECT_EQ(ipv6->mapped, At("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST_F(StunTest, IsReadAsItWasWritten) {
  for (const char* outside : {"203.0.113.9:4711", "[2001:db8::9]:4711"}) {
    const StunMessage said{.kind = StunKind::kSuccess,
                           .id = id_,
                           .mapped = At(outside),
                           .origin = At("198.51.100.1:9000"),
                           .other = At("198.51.100.2:9001")};
    const auto bytes = FormatStun(said, &key_);
    const auto read = ParseStun(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->id, said.id);
    EXPECT_EQ(read->mapped, said.mapped);
    EXPECT_EQ(read->origin, said.origin);
    EXPECT_EQ(read->other, said.other);
    EXPECT_TRUE(IsProvenBy(key_, *read, bytes));
  }
  const auto request = ParseStun(
      FormatStun({.id = id_, .change_address = true, .change_port = true}));
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->change_address && request->change_port);
  const auto error = ParseStun(FormatStun(
      {.kind = StunKind::kError, .id = id_, .error = 420, .unknown = {3}}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, 420);
}

TEST_F(StunTest, EveryBitOfAProvenMessageCounts) {
  const auto bytes = FormatStun({.id = id_, .change_port = true}, &key_);
  // Behind the proof stands FINGERPRINT alone, of 8 bytes.
  for (size_t bit = 0; bit < 8 * (bytes.size() - 8); ++bit) {
    auto bent = bytes;
    bent[bit / 8] ^= 1 << bit % 8;
    const auto read = ParseStun(bent);
    EXPECT_FALSE(read && IsProvenBy(key_, *read, bent)) << bit;
  }
}

TEST_F(StunTest, AnotherKeyProvesNothing) {
  const auto bytes = FormatStun({.id = id_}, &key_);
  const auto read = ParseStun(bytes);
  ASSERT_TRUE(read);
  EXPECT_FALSE(IsProvenBy(StunKeyOf(key_), *read, bytes));
  const auto bare = FormatStun({.id = id_});
  EXPECT_FALSE(IsProvenBy(key_, *ParseStun(bare), bare));
}

// Who adds to a proven message does not speak in its name.
TEST_F(StunTest, WhatFollowsTheProofIsNotRead) {
  auto bytes = FormatStun({.id = id_}, &key_);
  bytes.resize(kStunHeaderSize + kIntegritySize);  // without FINGERPRINT
  for (const uint8_t byte : {0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x00, 0x06}) {
    bytes.push_back(byte);
  }
  bytes[3] = kIntegritySize + 8;
  const auto read = ParseStun(bytes);
  ASSERT_TRUE(read);
  EXPECT_TRUE(IsProvenBy(key_, *read, bytes));
  EXPECT_FALSE(read->change_address || read->change_port);
}

TEST_F(StunTest, NamesWhatItDoesNotKnow) {
  // Attribute 0x7001, which whoever reads it has to know, and 0xf001.
  const auto read =
      ParseStun(FromHex("0001000c2112a4420102030405060708090a0b0c"
                        "7001000201000000f0010000"));
  ASSERT_TRUE(read);
  EXPECT_THAT(read->unknown, ElementsAre(0x7001));
}

TEST_F(StunTest, RefusesWhatIsNone) {
  const auto good = FormatStun({.id = id_, .mapped = At("192.0.2.1:1")});
  ASSERT_TRUE(ParseStun(good));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseStun(handshake::ByteSpan(good).first(size))) << size;
  }
  auto longer = good;
  longer.push_back(0);
  EXPECT_FALSE(ParseStun(longer));
  handshake::ByteVector huge(kMostStunBytes + 4);
  std::copy(good.begin(), good.end(), huge.begin());
  EXPECT_FALSE(ParseStun(huge));
  for (const char* hex : {
           // RFC 3489: no cookie. Another method. A half attribute.
           "000100000102030405060708090a0b0c0d0e0f10",
           "000300002112a4420102030405060708090a0b0c",
           "000100042112a4420102030405060708090a0b0c00030004",
           // A family 3, a short IPv6 address.
           "000100082112a4420102030405060708090a0b0c0001000400030001",
           "0001000c2112a4420102030405060708090a0b0c000100080002000101020304",
       }) {
    EXPECT_FALSE(ParseStun(FromHex(hex))) << hex;
  }
}

}  // namespace
}  // namespace lwt::nat
