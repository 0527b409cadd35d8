#include "drivers/aead.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>
#include <random>
#include <string_view>
#include <vector>

#include "tests/unit/drivers/random_bytes.h"

namespace lwt {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes FromHex(std::string_view text) {
  if (text.empty()) return {};
  Bytes bytes(text.size() / 2);
  size_t size = 0;
  EXPECT_EQ(sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(),
                           nullptr, &size, nullptr),
            0);
  EXPECT_EQ(size, bytes.size());
  return bytes;
}

const Aead& TestAead() {
  static const std::optional<Aead> aead = Aead::Create();
  EXPECT_TRUE(aead.has_value());
  return *aead;
}

std::span<const uint8_t, kAeadKeySize> KeyOf(const Bytes& key) {
  return std::span<const uint8_t, kAeadKeySize>(key.data(), kAeadKeySize);
}

struct GcmVector {
  const char* name;
  const char* key;
  const char* iv;
  const char* aad;
  const char* plaintext;
  const char* ciphertext;
  const char* tag;
};

// Cases 13, 14 and 16 of the GCM specification by McGrew and Viega, and one of
// NIST's CAVP.
const GcmVector kVectors[] = {
    {"case 13",
     "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "",
     "530f8afbc74536b9a963b4f1c4cb738b"},
    {"case 14",
     "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {"case 16",
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {"CAVP", "83688deb4af8007f9b713b47cfa6c73e35ea7a3aa4ecdb414dded03bf7a0fd3a",
     "0b459724904e010a46901cf3", "794a14ccd178c8ebfd1379dc704c5e208f9d8424",
     "33d893a2114ce06fc15d55e454cf90c3", "cc66bee423e3fcd4c0865715e9586696",
     "0fb291bd3dba94a1dfd8b286cfb97ac5"},
};

void SealAndOpenVectors(const Aead& aead) {
  for (const GcmVector& vector : kVectors) {
    SCOPED_TRACE(vector.name);
    AeadKey key;
    aead.ExpandKey(KeyOf(FromHex(vector.key)), key);
    const Bytes iv = FromHex(vector.iv);
    const Bytes aad = FromHex(vector.aad);
    Bytes data = FromHex(vector.plaintext);
    Bytes tag(kAeadTagSize);
    aead.Seal(key, iv.data(), aad, data.data(), data.size(), tag.data());
    EXPECT_EQ(data, FromHex(vector.ciphertext));
    EXPECT_EQ(tag, FromHex(vector.tag));
    EXPECT_TRUE(
        aead.Open(key, iv.data(), aad, data.data(), data.size(), tag.data()));
    EXPECT_EQ(data, FromHex(vector.plaintext));
  }
}

TEST(AeadTest, SealsAndOpensThePublishedVectors) {
  SealAndOpenVectors(TestAead());
}

TEST(AeadTest, DoesTheSameByTheCodeOfOtherCpus) {
  const auto aead = Aead::Create(Aead::Code::kAesni);
  ASSERT_TRUE(aead.has_value());
  SealAndOpenVectors(*aead);
}

TEST(AeadTest, AgreesWithLibsodiumAtEveryLength) {
  ASSERT_GE(sodium_init(), 0);
  ASSERT_TRUE(crypto_aead_aes256gcm_is_available());
  constexpr uint64_t kSeed = 20260101;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (size_t size = 0; size <= 1500; ++size) {
    const Bytes raw_key = RandomBytes(random, kAeadKeySize);
    const Bytes iv = RandomBytes(random, kAeadIvSize);
    const Bytes aad = RandomBytes(random, size % 21);
    const Bytes plain = RandomBytes(random, size);
    Bytes expected(size + kAeadTagSize);
    crypto_aead_aes256gcm_encrypt(expected.data(), nullptr, plain.data(), size,
                                  aad.data(), aad.size(), nullptr, iv.data(),
                                  raw_key.data());
    AeadKey key;
    TestAead().ExpandKey(KeyOf(raw_key), key);
    // The odd offset: nothing on the path is aligned.
    Bytes frame(3 + size + kAeadTagSize);
    if (size > 0) std::memcpy(&frame[3], plain.data(), size);
    TestAead().Seal(key, iv.data(), aad, &frame[3], size, &frame[3 + size]);
    ASSERT_EQ(std::memcmp(&frame[3], expected.data(), expected.size()), 0)
        << "size " << size;
    ASSERT_TRUE(TestAead().Open(key, iv.data(), aad, &frame[3], size,
                                &frame[3 + size]));
    ASSERT_EQ(Bytes(frame.begin() + 3,
                    frame.begin() + 3 + static_cast<ptrdiff_t>(size)),
              plain);
  }
}

// One sealed record and what is needed to open it.
struct Sealed {
  Bytes key;
  Bytes iv;
  Bytes aad;
  Bytes data;
  Bytes tag;
};

bool OpenCopy(const Sealed& sealed) {
  AeadKey key;
  TestAead().ExpandKey(KeyOf(sealed.key), key);
  Bytes data = sealed.data;
  return TestAead().Open(key, sealed.iv.data(), sealed.aad, data.data(),
                         data.size(), sealed.tag.data());
}

TEST(AeadTest, RefusesAFlipOfAnyBitAnywhere) {
  std::mt19937_64 random(7);
  Sealed sealed{.key = RandomBytes(random, kAeadKeySize),
                .iv = RandomBytes(random, kAeadIvSize),
                .aad = RandomBytes(random, 16),
                .data = RandomBytes(random, 77),
                .tag = Bytes(kAeadTagSize)};
  AeadKey key;
  TestAead().ExpandKey(KeyOf(sealed.key), key);
  TestAead().Seal(key, sealed.iv.data(), sealed.aad, sealed.data.data(),
                  sealed.data.size(), sealed.tag.data());
  ASSERT_TRUE(OpenCopy(sealed));
  for (Bytes* part :
       {&sealed.key, &sealed.iv, &sealed.aad, &sealed.data, &sealed.tag}) {
    for (size_t bit = 0; bit < part->size() * 8; ++bit) {
      (*part)[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      EXPECT_FALSE(OpenCopy(sealed)) << "bit " << bit;
      (*part)[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    }
  }
  EXPECT_TRUE(OpenCopy(sealed));
}

TEST(AeadTest, RefusesAShortenedRecord) {
  Sealed sealed{.key = Bytes(kAeadKeySize, 1),
                .iv = Bytes(kAeadIvSize, 2),
                .aad = Bytes(16, 3),
                .data = Bytes(64, 4),
                .tag = Bytes(kAeadTagSize)};
  AeadKey key;
  TestAead().ExpandKey(KeyOf(sealed.key), key);
  TestAead().Seal(key, sealed.iv.data(), sealed.aad, sealed.data.data(),
                  sealed.data.size(), sealed.tag.data());
  while (!sealed.data.empty()) {
    sealed.data.pop_back();
    EXPECT_FALSE(OpenCopy(sealed)) << sealed.data.size() << " bytes left";
  }
}

// FIPS 197, appendix C.3.
TEST(MaskTest, IsTheAesBlockOfTheStandard) {
  MaskKey key;
  TestAead().ExpandMaskKey(
      KeyOf(FromHex(
          "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")),
      key);
  const Bytes sample = FromHex("00112233445566778899aabbccddeeff");
  Bytes mask(kMaskSize);
  ComputeMask(key, sample.data(), mask.data());
  EXPECT_EQ(mask, FromHex("8ea2b7ca516745bfeafc49904b496089"));
}

TEST(WipeTest, LeavesZeros) {
  Bytes secret = {1, 2, 3, 4};
  Wipe(secret.data(), 3);
  EXPECT_EQ(secret, (Bytes{0, 0, 0, 4}));
}

TEST(WipeTest, AKeyIsGoneFromMemoryWhenItDies) {
  alignas(AeadKey) static unsigned char storage[sizeof(AeadKey)];
  AeadKey* const key = new (storage) AeadKey;
  TestAead().ExpandKey(KeyOf(Bytes(kAeadKeySize, 0x5a)), *key);
  const Bytes zeros(sizeof(storage));
  EXPECT_NE(std::memcmp(storage, zeros.data(), sizeof(storage)), 0);
  key->~AeadKey();
  EXPECT_EQ(std::memcmp(storage, zeros.data(), sizeof(gcm_key_data)), 0);
}

}  // namespace
}  // namespace lwt
