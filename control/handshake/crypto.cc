#include "control/handshake/crypto.h"

// The functions that OpenSSL 3 recommends instead keep their state on the heap,
// where it stays until another digest takes its place. Here it lies on the
// stack and is wiped.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>

namespace lwt::handshake {
namespace {

// One digest, of which nothing is left behind.
class Hash {
 public:
  Hash() { SHA256_Init(&state_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { sodium_memzero(&state_, sizeof(state_)); }

  void Add(ByteSpan bytes) {
    SHA256_Update(&state_, bytes.data(), bytes.size());
  }
  void Finish(std::span<uint8_t, SHA256_DIGEST_LENGTH> out) {
    SHA256_Final(out.data(), &state_);
  }

 private:
  SHA256_CTX state_;
};

using HashBlock = WipedBytes<SHA256_CBLOCK>;

// RFC 2104: the key, as long as a block, with every byte changed by `pad`.
HashBlock PadKey(const HashBlock& key, uint8_t pad) {
  HashBlock padded(key.bytes());
  for (uint8_t& byte : padded.bytes()) byte ^= pad;
  return padded;
}

}  // namespace

bool InitCrypto() {
  return sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
}

void RandomBytes(std::span<uint8_t> out) {
  randombytes_buf(out.data(), out.size());
}

Digest Sha256(std::initializer_list<ByteSpan> parts) {
  Hash hash;
  for (const ByteSpan part : parts) hash.Add(part);
  Digest digest;
  hash.Finish(digest);
  return digest;
}

void HmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts,
                std::span<uint8_t, 32> out) {
  HashBlock block;  // the key and zeros; of a longer one, its hash
  if (key.size() <= block.size()) {
    std::copy(key.begin(), key.end(), block.data());
  } else {
    Hash hash;
    hash.Add(key);
    hash.Finish(block.bytes().first<SHA256_DIGEST_LENGTH>());
  }
  WipedBytes<SHA256_DIGEST_LENGTH> inner;
  Hash hash;
  hash.Add(PadKey(block, 0x36).bytes());
  for (const ByteSpan part : parts) hash.Add(part);
  hash.Finish(inner.bytes());
  Hash outer;
  outer.Add(PadKey(block, 0x5c).bytes());
  outer.Add(inner.bytes());
  outer.Finish(out);
}

bool X25519(KeySpan scalar, KeySpan point, std::span<uint8_t, 32> out) {
  // crypto_scalarmult() refuses points of small order and all-zero results.
  if (crypto_scalarmult(out.data(), scalar.data(), point.data()) == 0) {
    return true;
  }
  sodium_memzero(out.data(), out.size());
  return false;
}

PublicKey X25519Public(KeySpan scalar) {
  PublicKey key;
  crypto_scalarmult_base(key.data(), scalar.data());
  return key;
}

void AesGcmSeal(KeySpan key, const Nonce& nonce, ByteSpan aad, ByteSpan plain,
                std::span<uint8_t> sealed) {
  crypto_aead_aes256gcm_encrypt(sealed.data(), nullptr, plain.data(),
                                plain.size(), aad.data(), aad.size(), nullptr,
                                nonce.data(), key.data());
}

bool AesGcmOpen(KeySpan key, const Nonce& nonce, ByteSpan aad, ByteSpan sealed,
                std::span<uint8_t> plain) {
  if (sealed.size() < kTagSize || plain.size() < sealed.size() - kTagSize) {
    return false;
  }
  return crypto_aead_aes256gcm_decrypt(
             plain.data(), nullptr, nullptr, sealed.data(), sealed.size(),
             aad.data(), aad.size(), nonce.data(), key.data()) == 0;
}

size_t RandomUpTo(RandomSource random, size_t high) {
  std::array<uint8_t, 4> bytes;
  random(bytes);
  uint32_t number = 0;
  for (const uint8_t byte : bytes) number = number << 8 | byte;
  return number % (high + 1);
}

}  // namespace lwt::handshake
