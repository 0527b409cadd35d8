#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "control/handshake/hkdf.h"
#include "control/handshake/lane_keys.h"
#include "control/handshake/noise.h"
#include "control/handshake/rate_limit.h"
#include "control/handshake/replay_cache.h"

namespace lwt::handshake {
namespace {

ByteVector Hex(std::string_view text) {
  if (text.empty()) return {};
  ByteVector bytes(text.size() / 2);
  size_t size = 0;
  EXPECT_EQ(sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(),
                           " \n", &size, nullptr),
            0);
  bytes.resize(size);
  return bytes;
}

// FIPS 180-4, the examples of NIST; the last one is a block and a half.
TEST(Sha256Test, PublishedVectors) {
  const std::pair<std::string, std::string_view> cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmno"
       "pjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'),
       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}};
  for (const auto& [text, digest] : cases) {
    const Digest made = Sha256({AsBytes(text)});
    EXPECT_EQ(ByteVector(made.begin(), made.end()), Hex(digest));
  }
}

// RFC 4231, section 4, all but the one that is cut; the last two have keys
// longer than a block.
TEST(HmacSha256Test, Rfc4231Vectors) {
  struct Case {
    ByteVector key;
    ByteVector data;
    std::string_view mac;
  };
  const auto text = [](std::string_view words) {
    const ByteSpan bytes = AsBytes(words);
    return ByteVector(bytes.begin(), bytes.end());
  };
  const Case cases[] = {
      {ByteVector(20, 0x0b), text("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {text("Jefe"), text("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {ByteVector(20, 0xaa), ByteVector(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {Hex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
       ByteVector(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {ByteVector(131, 0xaa),
       text("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {ByteVector(131, 0xaa),
       text("This is a test using a larger than block-size key and a larger "
            "than block-size data. The key needs to be hashed before being "
            "used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"}};
  for (const Case& c : cases) {
    std::array<uint8_t, 32> mac;
    HmacSha256(c.key, {c.data}, mac);
    EXPECT_EQ(ByteVector(mac.begin(), mac.end()), Hex(c.mac));
  }
}

// libsodium has the same functions: every size around a block, for keys and
// for texts, in one piece and in two.
TEST(HmacSha256Test, IsThatOfAnotherLibrary) {
  ByteVector bytes(300);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i * 151 + 7);
  }
  for (const size_t key_size : {0, 1, 31, 32, 63, 64, 65, 127, 128, 129}) {
    for (const size_t size : {0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 300}) {
      const ByteSpan key = ByteSpan(bytes).first(key_size);
      const ByteSpan text = ByteSpan(bytes).last(size);
      std::array<uint8_t, 32> expected;
      crypto_auth_hmacsha256_state state;
      crypto_auth_hmacsha256_init(&state, key.data(), key.size());
      crypto_auth_hmacsha256_update(&state, text.data(), text.size());
      crypto_auth_hmacsha256_final(&state, expected.data());
      std::array<uint8_t, 32> mac;
      HmacSha256(key, {text}, mac);
      EXPECT_EQ(mac, expected) << key_size << " " << size;
      HmacSha256(key, {text.first(size / 3), {}, text.subspan(size / 3)}, mac);
      EXPECT_EQ(mac, expected) << key_size << " " << size;

      crypto_hash_sha256(expected.data(), text.data(), text.size());
      EXPECT_EQ(Sha256({text}), expected) << size;
      EXPECT_EQ(Sha256({text.first(size / 3), text.subspan(size / 3)}),
                expected)
          << size;
    }
  }
}

// RFC 5869, appendices A.1 to A.3.
TEST(Hkdf, Rfc5869Vectors) {
  struct Case {
    std::string_view ikm, salt, info, okm;
  };
  const Case cases[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
       "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
       "34007208d5b887185865"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
       "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
       "404142434445464748494a4b4c4d4e4f",
       "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
       "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
       "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
       "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
       "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
       "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
       "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
       "9d201395faa4b61a96c8"},
  };
  for (const Case& c : cases) {
    const ByteVector expected = Hex(c.okm);
    ByteVector okm(expected.size());
    HkdfSha256(Hex(c.salt), Hex(c.ikm), Hex(c.info), okm);
    EXPECT_EQ(okm, expected);
  }
}

TEST(Crypto, X25519RefusesSmallOrder) {
  ASSERT_TRUE(InitCrypto());
  WipedBytes<32> scalar;
  RandomBytes(scalar.bytes());
  std::array<uint8_t, 32> zero{};
  std::array<uint8_t, 32> one{};
  one[0] = 1;
  std::array<uint8_t, 32> out;
  EXPECT_FALSE(X25519(scalar.bytes(), zero, out));
  EXPECT_FALSE(X25519(scalar.bytes(), one, out));
  EXPECT_TRUE(X25519(scalar.bytes(), X25519Public(scalar.bytes()), out));
}

TEST(SecretBytes, KeepsCopiesMovesAndWipes) {
  SecretKey a;
  for (uint8_t& byte : a.bytes()) byte = 7;
  SecretKey b = a;
  EXPECT_TRUE(a == b);
  SecretKey c = std::move(a);
  EXPECT_TRUE(c == b);
  EXPECT_TRUE(a == SecretKey());  // NOLINT: the moved-from value is defined
  c.Wipe();
  EXPECT_TRUE(c == SecretKey());
  b = c;
  EXPECT_TRUE(b == SecretKey());
}

TEST(SecretBytes, SlotsAreReusedZeroed) {
  std::vector<SecretKey> many(600);
  for (SecretKey& key : many) key.bytes()[0] = 0xff;
  many.clear();
  for (const SecretKey& key : std::vector<SecretKey>(600)) {
    EXPECT_TRUE(key == SecretKey());
  }
}

class VectorSide {
 public:
  VectorSide(const NoisePattern& pattern, NoiseRole role,
             std::map<std::string, ByteVector>& fields) {
    const bool first = role == NoiseRole::kInitiator;
    const std::string mine = first ? "init" : "resp";
    psk_ = fields["preshared_key"];
    secret_ = fields[mine + "_static"];
    prologue_ = fields["prologue"];
    NoiseConfig config{.pattern = &pattern,
                       .role = role,
                       .prologue = prologue_,
                       .psk = ByteSpan(psk_).first<32>(),
                       .static_secret = ByteSpan(secret_).first<32>()};
    config.static_public = X25519Public(config.static_secret);
    const ByteVector& theirs = fields[first ? "resp_static" : "init_static"];
    config.remote_static = X25519Public(ByteSpan(theirs).first<32>());
    config.random = first ? Initiator : Responder;
    (first ? initiator_ephemeral : responder_ephemeral) =
        fields["gen_" + mine + "_ephemeral"];
    noise.emplace(config);
  }

  std::optional<NoiseHandshake> noise;

 private:
  static inline ByteVector initiator_ephemeral;
  static inline ByteVector responder_ephemeral;
  static void Initiator(std::span<uint8_t> out) {
    std::memcpy(out.data(), initiator_ephemeral.data(), out.size());
  }
  static void Responder(std::span<uint8_t> out) {
    std::memcpy(out.data(), responder_ephemeral.data(), out.size());
  }

  ByteVector psk_, secret_, prologue_;
};

Nonce NonceOf(uint8_t counter) {
  Nonce nonce{};
  nonce[11] = counter;
  return nonce;
}

void RunVector(const NoisePattern& pattern,
               std::map<std::string, ByteVector>& fields) {
  VectorSide sides[2] = {{pattern, NoiseRole::kInitiator, fields},
                         {pattern, NoiseRole::kResponder, fields}};
  int index = 0;
  for (; !sides[0].noise->finished(); ++index) {
    const std::string message = "msg_" + std::to_string(index);
    const ByteVector& payload = fields[message + "_payload"];
    NoiseHandshake& writer = *sides[index % 2].noise;
    NoiseHandshake& reader = *sides[1 - index % 2].noise;
    ByteVector wire;
    ASSERT_TRUE(writer.WriteMessage(payload, &wire));
    EXPECT_EQ(wire, fields[message + "_ciphertext"]) << message;
    ByteVector opened(payload.size());
    ASSERT_TRUE(reader.ReadMessage(wire, opened));
    EXPECT_EQ(opened, payload);
  }
  SecretKey keys[2];
  SecretKey mirror[2];
  sides[0].noise->Split(&keys[0], &keys[1]);
  sides[1].noise->Split(&mirror[0], &mirror[1]);
  EXPECT_TRUE(keys[0] == mirror[0] && keys[1] == mirror[1]);
  // Below, the initiator's messages are the vector's under the first of these.
  const KeyPair roots = RootsOf(*sides[1].noise);
  EXPECT_TRUE(roots.from_initiator == keys[0]);
  EXPECT_TRUE(roots.from_responder == keys[1]);
  uint8_t counters[2] = {0, 0};
  // The initiator speaks first again.
  const int handshake_messages = index;
  for (; fields.contains("msg_" + std::to_string(index) + "_payload");
       ++index) {
    const std::string message = "msg_" + std::to_string(index);
    const ByteVector& payload = fields[message + "_payload"];
    ByteVector wire(payload.size() + kTagSize);
    const int side = (index - handshake_messages) % 2;
    AesGcmSeal(keys[side].bytes(), NonceOf(counters[side]++), {}, payload,
               wire);
    EXPECT_EQ(wire, fields[message + "_ciphertext"]) << message;
  }
}

int RunVectors(const NoisePattern& pattern) {
  const std::string wanted =
      "Noise_" + std::string(pattern.name) + "_25519_AESGCM_SHA256";
  std::ifstream file(
      "/usr/share/gocode/src/github.com/flynn/noise/vectors.txt");
  EXPECT_TRUE(file.is_open())
      << "install golang-github-flynn-noise-dev, which holds the vectors";
  std::map<std::string, ByteVector> fields;
  std::string name;
  int count = 0;
  const auto flush = [&] {
    if (name == wanted) {
      RunVector(pattern, fields);
      ++count;
    }
    fields.clear();
    name.clear();
  };
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (line.empty()) {
      flush();
    } else if (line.starts_with("handshake=")) {
      name = line.substr(equals + 1);
    } else if (equals != std::string::npos) {
      fields[line.substr(0, equals)] = Hex(line.substr(equals + 1));
    }
  }
  flush();
  printf("ran %d vectors of %s\n", count, wanted.c_str());
  return count;
}

TEST(Noise, PublishedVectorsXXpsk0) {
  ASSERT_TRUE(InitCrypto());
  EXPECT_EQ(RunVectors(kNoiseXXpsk0), 4);
}

TEST(Noise, PublishedVectorsKKpsk0) {
  ASSERT_TRUE(InitCrypto());
  EXPECT_EQ(RunVectors(kNoiseKKpsk0), 4);
}

TEST(Noise, FailedReadLeavesTheStateAsItWas) {
  ASSERT_TRUE(InitCrypto());
  const std::array<uint8_t, 32> psk{1};
  WipedBytes<32> secrets[2];
  NoiseConfig config{.psk = psk, .static_secret = secrets[0].bytes()};
  RandomBytes(secrets[0].bytes());
  RandomBytes(secrets[1].bytes());
  config.static_public = X25519Public(secrets[0].bytes());
  NoiseHandshake client(config);
  config.role = NoiseRole::kResponder;
  config.static_secret = secrets[1].bytes();
  config.static_public = X25519Public(secrets[1].bytes());
  NoiseHandshake hub(config);
  ByteVector wire;
  ASSERT_TRUE(client.WriteMessage({}, &wire));
  ByteVector none;
  EXPECT_FALSE(hub.WriteMessage({}, &none)) << "not its turn";
  for (size_t bit = 0; bit < 8 * wire.size(); ++bit) {
    ByteVector bad = wire;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(hub.ReadMessage(bad, {})) << bit;
  }
  EXPECT_TRUE(hub.ReadMessage(wire, {}));
  EXPECT_FALSE(hub.ReadMessage(wire, {})) << "not its turn";
}

TEST(ReplayCache, RefusesUntilForgottenAndNeverWhatIsNew) {
  ReplayCache cache(16);
  std::array<uint8_t, 16> tag{};
  for (uint8_t i = 0; i < 16; ++i) {
    tag[0] = i;
    EXPECT_TRUE(cache.Insert(tag, 1000u + i));
    EXPECT_FALSE(cache.Insert(tag, 1000u + i));
  }
  tag[0] = 15;
  EXPECT_FALSE(cache.Insert(tag, 1014 + ReplayCache::kLifetimeMs));
  EXPECT_TRUE(cache.Insert(tag, 1015 + ReplayCache::kLifetimeMs));
  // One with the key who floods it keeps nobody out: the oldest is forgotten.
  ReplayCache full(16);
  for (uint8_t i = 0; i < 200; ++i) {
    tag[0] = i;
    EXPECT_TRUE(full.Insert(tag, 1000u + i)) << unsigned{i};
  }
  for (uint8_t i = 184; i < 200; ++i) {
    tag[0] = i;
    EXPECT_FALSE(full.Insert(tag, 1200)) << unsigned{i};
  }
}

TEST(RateLimit, ABurstThenARate) {
  RateLimit limit({.rate = {10, 5}, .buckets = 64});
  const IpAddress source = *ParseIpAddress("192.0.2.1");
  const IpAddress neighbour = *ParseIpAddress("192.0.2.200");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.Allow(source, 1'000'000));
  EXPECT_FALSE(limit.Allow(source, 1'000'000));
  EXPECT_FALSE(limit.Allow(neighbour, 1'000'000)) << "the same /24";
  EXPECT_FALSE(limit.Allow(source, 1'099'999));
  EXPECT_TRUE(limit.Allow(source, 1'100'000));
  EXPECT_FALSE(limit.Allow(source, 1'100'000));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.Allow(source, UINT64_MAX));
  EXPECT_FALSE(limit.Allow(source, UINT64_MAX));
}

TEST(RateLimit, OtherNetworksHaveTheirOwn) {
  RateLimit limit({.rate = {1, 1}});
  int allowed = 0;
  for (int i = 0; i < 256; ++i) {
    IpAddress source = *ParseIpAddress("2001:db8::1");
    source.bytes[6] = static_cast<uint8_t>(i);
    allowed += limit.Allow(source, 1'000'000);
    source.bytes[7] = 0xff;  // still the same /56
    EXPECT_FALSE(limit.Allow(source, 1'000'000));
  }
  EXPECT_GT(allowed, 200);  // 256 in 4096 buckets share about 8
}

}  // namespace
}  // namespace lwt::handshake
