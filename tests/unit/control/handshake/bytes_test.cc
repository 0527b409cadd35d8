// Fields in and out of bytes, and the payloads of the handshake that are made
// of them: what is cut, lies about its size or says what cannot be is refused.
#include "control/handshake/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "control/handshake/session_secrets.h"

namespace lwt::handshake {
namespace {

TEST(ByteReaderTest, FieldsComeOffTheFront) {
  const ByteVector bytes = {1,  2,  3,  4,  5,  6,  7,  8,  9, 10,
                            11, 12, 13, 14, 15, 16, 17, 18, 19};
  ByteReader reader(bytes);
  uint8_t u8;
  uint16_t u16;
  uint32_t u24;
  uint32_t u32;
  uint64_t u64;
  ASSERT_TRUE(reader.U8(&u8) && reader.U16(&u16) && reader.U24(&u24) &&
              reader.U32(&u32) && reader.U64(&u64));
  EXPECT_EQ(u8, 1);
  EXPECT_EQ(u16, 0x0203);
  EXPECT_EQ(u24, 0x040506u);
  EXPECT_EQ(u32, 0x0708090au);
  EXPECT_EQ(u64, 0x0b0c0d0e0f101112u);
  EXPECT_EQ(reader.rest().size(), 1u);
  EXPECT_FALSE(reader.empty());
  EXPECT_TRUE(reader.Skip(1));
  EXPECT_TRUE(reader.empty());
}

TEST(ByteReaderTest, WhatIsTooShortChangesNothing) {
  const ByteVector bytes = {0, 9, 7};
  const std::function<bool(ByteReader&)> reads[] = {
      [](ByteReader& r) {
        uint32_t v;
        return r.U32(&v);
      },
      [](ByteReader& r) {
        uint64_t v;
        return r.U64(&v);
      },
      [](ByteReader& r) {
        ByteSpan v;
        return r.Take(4, &v);
      },
      [](ByteReader& r) { return r.Skip(4); },
      [](ByteReader& r) {
        std::array<uint8_t, 4> v;
        return r.Copy(v);
      },
      [](ByteReader& r) {
        ByteSpan v;
        return r.Vector16(&v);
      },  // nine bytes, and there is one
  };
  for (const auto& read : reads) {
    ByteReader reader(bytes);
    EXPECT_FALSE(read(reader));
    EXPECT_EQ(reader.rest().size(), 3u);
  }
  ByteReader reader(bytes);
  ByteSpan empty;
  EXPECT_TRUE(reader.Vector8(&empty));
  EXPECT_TRUE(empty.empty());
  EXPECT_FALSE(reader.Vector8(&empty)) << "nine bytes, and there is one";
  EXPECT_EQ(reader.rest().size(), 2u);
  ByteReader nothing{ByteSpan()};
  uint8_t u8;
  EXPECT_FALSE(nothing.U8(&u8));
  EXPECT_TRUE(nothing.Skip(0));
}

TEST(ByteWriterTest, VectorsKnowTheirSize) {
  ByteWriter writer;
  writer.U8(0xaa);
  const size_t outer = writer.Open(2);
  const size_t inner = writer.Open(1);
  writer.Append("abc");
  writer.Close(inner, 1);
  writer.U16(0x0102).Zeros(2);
  writer.Close(outer, 2);
  EXPECT_EQ(writer.Take(),
            (ByteVector{0xaa, 0, 8, 3, 'a', 'b', 'c', 1, 2, 0, 0}));
}

TEST(PrintableTextTest, ControlCharactersMoveNoCursor) {
  EXPECT_EQ(PrintableText(AsBytes("a\x1b[2J\n\x7f~")), "a?[2J??~");
  EXPECT_EQ(PrintableText(AsBytes("caf\xc3\xa9")), "caf\xc3\xa9")
      << "text of other languages stays";
}

PeerOffer Offer() {
  return {.mtu = 1400,
          .lanes = 3,
          .addresses = {*ParseIpPrefix("10.0.0.2/24"),
                        *ParseIpPrefix("fd00::2/64")}};
}

// At the end of a payload that is not padded.
constexpr size_t kFeatures = 4;

ByteVector HubBytes() {
  HubPayload payload;
  payload.session_id = 0x1122334455667788;
  payload.offer = Offer();
  return BuildHubPayload(payload, 0);
}

ByteVector ClientBytes() {
  ClientPayload payload;
  payload.offer = Offer();
  return BuildClientPayload(payload);
}

TEST(PayloadTest, ComesBackAsItWasSent) {
  const auto hub = ParseHubPayload(HubBytes());
  ASSERT_TRUE(hub.has_value());
  EXPECT_EQ(hub->session_id, 0x1122334455667788u);
  const auto client = ParseClientPayload(ClientBytes());
  ASSERT_TRUE(client.has_value());
  for (const PeerOffer& offer : {hub->offer, client->offer}) {
    EXPECT_EQ(offer.version, kProtocolVersion);
    EXPECT_EQ(offer.mtu, 1400);
    EXPECT_EQ(offer.lanes, 3);
    EXPECT_EQ(offer.addresses, Offer().addresses);
  }
}

TEST(PayloadTest, EveryCutIsRefused) {
  const ByteVector hub = HubBytes();
  for (size_t size = 0; size < hub.size() - kFeatures; ++size) {
    EXPECT_FALSE(ParseHubPayload(ByteSpan(hub).first(size))) << size;
  }
  const ByteVector client = ClientBytes();
  for (size_t size = 0; size < client.size() - kFeatures; ++size) {
    EXPECT_FALSE(ParseClientPayload(ByteSpan(client).first(size))) << size;
  }
}

// As whoever did not know of them yet builds a payload.
TEST(PayloadTest, WithoutFeaturesItHasNone) {
  for (size_t cut = 1; cut <= kFeatures; ++cut) {
    const ByteVector hub = HubBytes();
    const auto of_hub = ParseHubPayload(ByteSpan(hub).first(hub.size() - cut));
    ASSERT_TRUE(of_hub) << cut;
    EXPECT_EQ(of_hub->offer.features, 0u) << cut;
    const ByteVector client = ClientBytes();
    const auto of_client =
        ParseClientPayload(ByteSpan(client).first(client.size() - cut));
    ASSERT_TRUE(of_client) << cut;
    EXPECT_EQ(of_client->offer.features, 0u) << cut;
  }
}

TEST(PayloadTest, ZerosBehindItArePadding) {
  HubPayload payload;
  payload.offer = Offer();
  const ByteVector padded = BuildHubPayload(payload, 3000);
  EXPECT_EQ(padded.size(), 3000u);
  EXPECT_TRUE(ParseHubPayload(padded).has_value());
  EXPECT_GT(BuildHubPayload(payload, 1).size(), 1u) << "never cut";
}

// What an offer cannot be. Who sends it has the key, and is another program.
TEST(PayloadTest, AnImpossibleOfferIsRefused) {
  const auto refused = [](const PeerOffer& offer) {
    ClientPayload client;
    client.offer = offer;
    HubPayload hub;
    hub.offer = offer;
    const bool by_hub = !ParseClientPayload(BuildClientPayload(client));
    const bool by_client = !ParseHubPayload(BuildHubPayload(hub, 0));
    EXPECT_EQ(by_hub, by_client);
    return by_hub;
  };
  const auto changed = [](const std::function<void(PeerOffer&)>& change) {
    PeerOffer offer = Offer();
    change(offer);
    return offer;
  };
  EXPECT_FALSE(refused(Offer()));
  EXPECT_TRUE(refused(changed([](PeerOffer& o) { o.mtu = 575; })));
  EXPECT_FALSE(refused(changed([](PeerOffer& o) { o.mtu = 65535; })));
  EXPECT_TRUE(refused(changed([](PeerOffer& o) { o.lanes = 0; })));
  EXPECT_TRUE(refused(changed([](PeerOffer& o) { o.lanes = kMaxLanes + 1; })));
  EXPECT_FALSE(refused(changed([](PeerOffer& o) { o.lanes = kMaxLanes; })));
}

TEST(PayloadTest, AnImpossibleAddressIsRefused) {
  // Version, nonce, MTU and lanes stand before the number of addresses, then
  // each with family, length and bytes.
  constexpr size_t kCount = 1 + 16 + 2 + 1;
  const struct {
    size_t at;
    uint8_t value;
    bool good;
  } rows[] = {
      {kCount, 2, true},       {kCount, 1, true},   // the other one is padding
      {kCount, 0, true},       {kCount, 3, false},  // none: a lease
      {kCount + 1, 5, false},  {kCount + 1, 6, false},
      {kCount + 2, 32, true},  {kCount + 2, 33, false},
      {kCount + 8, 128, true}, {kCount + 8, 129, false},
  };
  for (const auto& row : rows) {
    ByteVector bytes = ClientBytes();
    bytes[row.at] = row.value;
    EXPECT_EQ(ParseClientPayload(bytes).has_value(), row.good)
        << row.at << " " << int{row.value};
  }
}

// Of another version only that is believed, so that its sender can be told.
TEST(PayloadTest, AnotherVersionIsReadNoFurther) {
  const ByteVector other = {kProtocolVersion + 1};
  const auto client = ParseClientPayload(other);
  const auto hub = ParseHubPayload(other);
  ASSERT_TRUE(client && hub);
  EXPECT_EQ(client->offer.version, kProtocolVersion + 1);
  EXPECT_TRUE(client->offer.addresses.empty());
  EXPECT_EQ(hub->offer.version, kProtocolVersion + 1);
}

TEST(VerdictTest, ComesBackAsItWasSent) {
  const VerdictBody body{{VerdictCode::kFull, "20 clients are here"}, 1389};
  const ByteVector bytes = BuildVerdict(body);
  const auto parsed = ParseVerdict(bytes);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->verdict.code, VerdictCode::kFull);
  EXPECT_EQ(parsed->verdict.text, "20 clients are here");
  EXPECT_EQ(parsed->mtu, 1389);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseVerdict(ByteSpan(bytes).first(size))) << size;
  }
}

// The one of before, and behind its text what is leased.
TEST(VerdictTest, ALeaseStandsBehindTheText) {
  VerdictBody body{{VerdictCode::kAccepted, ""}, 1389};
  const ByteVector without = BuildVerdict(body);
  body.verdict.lease = {*ParseIpPrefix("10.0.0.7/24"),
                        *ParseIpPrefix("fd00::7/64")};
  const ByteVector bytes = BuildVerdict(body);
  EXPECT_EQ(bytes,
            (ByteVector{0, 5, 0x6d, 0, 0, 2, 4, 24, 10, 0, 0, 7, 6, 64, 0xfd,
                        0, 0, 0,    0, 0, 0, 0, 0,  0,  0, 0, 0, 0, 0,  7}));
  EXPECT_TRUE(std::equal(without.begin(), without.end(), bytes.begin()));
  const auto parsed = ParseVerdict(bytes);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->verdict.lease, body.verdict.lease);
  EXPECT_EQ(ParseVerdict(BuildVerdict(body, 200))->verdict.lease.size(), 2u);
  EXPECT_TRUE(ParseVerdict(without)->verdict.lease.empty());
  body.verdict.lease.clear();
  EXPECT_TRUE(ParseVerdict(BuildVerdict(body, 200))->verdict.lease.empty());
  for (size_t size = without.size() + 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseVerdict(ByteSpan(bytes).first(size))) << size;
  }
  for (const auto& [at, value] : {std::pair{5, 3}, {6, 5}, {7, 33}}) {
    ByteVector bad = bytes;
    bad[static_cast<size_t>(at)] = static_cast<uint8_t>(value);
    EXPECT_FALSE(ParseVerdict(bad)) << at;
  }
}

// A hub has an address; a client that has none asks for a lease.
TEST(PayloadTest, AClientAloneMayHaveNoAddress) {
  ClientPayload client{.offer = {.mtu = 1400}};
  const auto parsed = ParseClientPayload(BuildClientPayload(client));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(parsed->offer.addresses.empty());
  EXPECT_EQ(parsed->offer.features, kOwnFeatures);
  EXPECT_FALSE(ParseHubPayload(BuildHubPayload({.offer = client.offer}, 0)));
}

TEST(VerdictTest, ALongTextIsCutAndALongerOneRefused) {
  ByteVector bytes =
      BuildVerdict({{VerdictCode::kFull, std::string(600, 'x')}, 1389});
  auto parsed = ParseVerdict(bytes);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->verdict.text.size(), 512u);
  bytes.push_back('x');
  bytes[4] += 1;  // of the size, 512 so far
  EXPECT_FALSE(ParseVerdict(bytes));
}

// The hub's words stand in the client's log.
TEST(VerdictTest, ItsTextIsFitForATerminal) {
  const auto parsed =
      ParseVerdict(BuildVerdict({{VerdictCode::kBanned, "\x1b[2Jgone"}, 1389}));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->verdict.text, "?[2Jgone");
}

}  // namespace
}  // namespace lwt::handshake
