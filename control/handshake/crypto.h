// The primitives of the handshake, over libsodium; the hash over OpenSSL, which
// has it by the instructions that CPUs have for it. All but InitCrypto() need
// that it has succeeded. Costs on a 2.5 GHz core: X25519 about 75 µs, AES-GCM
// of handshake sizes about 1 µs, SHA-256 of them a tenth to half of one.
#pragma once

#include <initializer_list>

#include "control/handshake/bytes.h"
#include "drivers/secret_bytes.h"

namespace lwt::handshake {

using lwt::SecretBytes;
using lwt::SecretKey;
using lwt::WipedBytes;

inline constexpr size_t kKeySize = 32;
inline constexpr size_t kTagSize = 16;
inline constexpr size_t kNonceSize = 12;

using PublicKey = std::array<uint8_t, kKeySize>;
using Digest = std::array<uint8_t, 32>;
using Nonce = std::array<uint8_t, kNonceSize>;
using KeySpan = std::span<const uint8_t, kKeySize>;

// Where ephemeral keys, nonces and padding come from; tests replace it.
using RandomSource = void (*)(std::span<uint8_t> out);
// Evenly in [0, high], near enough for lengths: high is below 2^16.
size_t RandomUpTo(RandomSource random, size_t high);

// False when libsodium cannot start or the CPU lacks AES-NI and PCLMUL.
// Idempotent and thread-safe.
bool InitCrypto();

void RandomBytes(std::span<uint8_t> out);

// SHA-256 of the parts joined; HMAC-SHA256 (RFC 2104) of the same.
Digest Sha256(std::initializer_list<ByteSpan> parts);
void HmacSha256(ByteSpan key, std::initializer_list<ByteSpan> parts,
                std::span<uint8_t, 32> out);

// X25519 (RFC 7748). X25519() is false, with `out` zeroed, when the result is
// all-zero: the other side sent a point of small order (RFC 7748 §6.1).
bool X25519(KeySpan scalar, KeySpan point, std::span<uint8_t, 32> out);
PublicKey X25519Public(KeySpan scalar);

// AES-256-GCM. `sealed` is 16 bytes longer than `plain`; they may be the same
// memory from the same start.
void AesGcmSeal(KeySpan key, const Nonce& nonce, ByteSpan aad, ByteSpan plain,
                std::span<uint8_t> sealed);
bool AesGcmOpen(KeySpan key, const Nonce& nonce, ByteSpan aad, ByteSpan sealed,
                std::span<uint8_t> plain);

}  // namespace lwt::handshake
