#include "control/handshake/tls_shape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/control/handshake/ja4.h"

namespace lwt::handshake {
namespace {

HelloFields CountingFields() {
  HelloFields fields;
  uint8_t next = 0;
  for (uint8_t& byte : fields.random_and_session_id) byte = next++;
  for (uint8_t& byte : fields.key_share) byte = next++;
  return fields;
}

ByteSpan BodyOf(ByteSpan record) { return record.subspan(kTlsHeaderSize); }

TEST(ClientHello, RoundTrip) {
  const HelloFields fields = CountingFields();
  for (const std::string& name :
       {std::string("a"), std::string("www.example.com"),
        std::string(255, 'x')}) {
    const ByteVector hello = BuildClientHello(fields, name);
    EXPECT_LE(hello.size(), kMaxClientHello);
    EXPECT_GE(hello.size(), 512u);
    const auto parsed = ParseClientHello(BodyOf(hello));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->random_and_session_id, fields.random_and_session_id);
    EXPECT_EQ(parsed->key_share, fields.key_share);
  }
  EXPECT_TRUE(BuildClientHello(fields, std::string(256, 'x')).empty());
}

TEST(ClientHello, ExtensionsAreUniqueForEverySeed) {
  HelloFields fields = CountingFields();
  for (int seed = 0; seed < 256; ++seed) {
    for (size_t i = 24; i < 32; ++i) {
      fields.random_and_session_id[i] = static_cast<uint8_t>(seed);
    }
    const ByteVector hello = BuildClientHello(fields, "www.example.com");
    ByteReader reader(ByteSpan(hello).subspan(76));
    ByteSpan skipped;
    ByteSpan all;
    ASSERT_TRUE(reader.Vector16(&skipped) && reader.Vector8(&skipped) &&
                reader.Vector16(&all));
    std::set<uint16_t> types;
    ByteReader extensions(all);
    while (!extensions.empty()) {
      uint16_t type = 0;
      ASSERT_TRUE(extensions.U16(&type) && extensions.Vector16(&skipped));
      EXPECT_TRUE(types.insert(type).second) << type;
    }
  }
}

// Hellos as they are sent: all that may be random is.
ByteVector AnyHello(uint32_t number, std::string_view name) {
  HelloFields fields = CountingFields();
  for (size_t i = 24; i < 32; ++i) {
    fields.random_and_session_id[i] =
        static_cast<uint8_t>(number * 2654435761u >> (i % 4 * 8)) ^
        static_cast<uint8_t>(i * number);
  }
  return BuildClientHello(fields, name);
}

// The same as Chrome's from 112 on, before it offered a post-quantum key share
// (docs/protocol.md#handshake).
TEST(ClientHello, HasTheFingerprintOfABrowser) {
  for (uint32_t number = 0; number < 200; ++number) {
    const ByteVector hello = AnyHello(number, "www.example.com");
    EXPECT_EQ(hello.size(), 517u);
    EXPECT_EQ(Ja4Of(hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
  }
  // What hides nothing would show: one extension more or less.
  const std::string plain = *Ja4Of(AnyHello(1, std::string(250, 'x')));
  EXPECT_EQ(plain.substr(0, 10), "t13d1515h2");
  EXPECT_NE(plain.substr(24), "e5627efa2ab1");
}

TEST(ClientHello, DealsItsExtensionsAnew) {
  std::set<size_t> places;
  for (uint32_t number = 0; number < 200; ++number) {
    const ByteVector hello = AnyHello(number, "www.example.com");
    constexpr uint8_t kGroups[] = {0x00, 0x1d, 0x00, 0x17, 0x00, 0x18};
    const auto at = std::search(hello.begin(), hello.end(), std::begin(kGroups),
                                std::end(kGroups));
    places.insert(static_cast<size_t>(at - hello.begin()));
  }
  EXPECT_GT(places.size(), 50u);
}

TEST(ClientHello, EveryTruncationIsRefused) {
  const ByteVector hello = BuildClientHello(CountingFields(), "a");
  const ByteSpan body = BodyOf(hello);
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(ParseClientHello(body.first(size))) << size;
    // Also when the handshake header admits to it.
    if (size < 4) continue;
    ByteVector cut(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
    cut[2] = static_cast<uint8_t>((size - 4) >> 8);
    cut[3] = static_cast<uint8_t>(size - 4);
    EXPECT_FALSE(ParseClientHello(cut)) << size;
  }
}

TEST(ServerHello, RoundTripAndTruncation) {
  const HelloFields fields = CountingFields();
  const ByteVector hello = BuildServerHello(fields);
  EXPECT_EQ(hello.size(), 127u);
  const ByteSpan body = BodyOf(hello);
  const auto parsed = ParseServerHello(body);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->random_and_session_id, fields.random_and_session_id);
  EXPECT_EQ(parsed->key_share, fields.key_share);
  EXPECT_FALSE(ParseClientHello(body));
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(ParseServerHello(body.first(size)));
  }
}

TEST(TlsReader, CutsAStreamAnyWayItComes) {
  ByteVector stream;
  for (size_t size : {1, 100, 16640}) {
    const ByteVector record =
        BuildRecord(TlsType::kApplicationData, ByteVector(size, 0x5a));
    stream.insert(stream.end(), record.begin(), record.end());
  }
  for (size_t step : {1, 7, 4096, 40000}) {
    TlsReader reader;
    std::vector<size_t> sizes;
    for (size_t at = 0; at < stream.size(); at += step) {
      reader.Feed(
          ByteSpan(stream).subspan(at, std::min(step, stream.size() - at)));
      TlsRecord record;
      while (reader.Next(&record) == TlsReader::Result::kRecord) {
        sizes.push_back(record.body.size());
      }
    }
    EXPECT_EQ(sizes, (std::vector<size_t>{1, 100, 16640})) << step;
    EXPECT_TRUE(reader.pending().empty());
  }
}

TEST(TlsReader, RefusesWhatIsNotTls) {
  const ByteVector bad[] = {
      {0x13},                       // type too small
      {0x18},                       // type too large
      {0x17, 2},                    // major version
      {0x17, 3, 1},                 // only a first hello says 3.1
      {0x16, 3, 4},                 // minor version
      {0x17, 3, 3, 0, 0},           // empty
      {0x17, 3, 3, 0x41, 1},        // 16 641 bytes
      {0x17, 3, 3, 0xff, 0xff, 0},  // 65 535 bytes
  };
  for (const ByteVector& bytes : bad) {
    TlsReader reader;
    TlsRecord record;
    reader.Feed(bytes);
    EXPECT_EQ(reader.Next(&record), TlsReader::Result::kError);
    reader.Feed(kChangeCipherSpecRecord);
    EXPECT_EQ(reader.Next(&record), TlsReader::Result::kError) << "for good";
  }
}

}  // namespace
}  // namespace lwt::handshake
