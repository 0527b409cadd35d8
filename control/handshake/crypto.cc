#include "control/handshake/crypto.h"

namespace lwt::handshake {

bool InitCrypto() {
  return sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() == 1;
}

void RandomBytes(std::span<uint8_t> out) {
  randombytes_buf(out.data(), out.size());
}

Digest Sha256(std::initializer_list<ByteSpan> parts) {
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  for (ByteSpan part : parts) {
    crypto_hash_sha256_update(&state, part.data(), part.size());
  }
  Digest digest;
  crypto_hash_sha256_final(&state, digest.data());
  sodium_memzero(&state, sizeof(state));
  return digest;
}

void HmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts,
                std::span<uint8_t, 32> out) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, key.data(), key.size());
  for (ByteSpan part : parts) {
    crypto_auth_hmacsha256_update(&state, part.data(), part.size());
  }
  crypto_auth_hmacsha256_final(&state, out.data());
  sodium_memzero(&state, sizeof(state));
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
