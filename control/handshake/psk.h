// From the operator's key string to the 32 bytes that prove it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "drivers/secret_bytes.h"

namespace lwt::handshake {

inline constexpr std::string_view kGeneratedKeyPrefix = "lwt1:";

// A key of 256 random bits: the prefix, then base64url of the key and two bytes
// of checksum.
inline constexpr size_t kGeneratedKeySize = 51;
std::string GenerateKey();
bool IsGeneratedKey(std::string_view key);

// Names a shared key without showing it: the first bytes of the SHA-256 of its
// text.
using KeyId = std::array<uint8_t, 8>;
KeyId IdOfKey(std::string_view text);

// Whether DerivePsk takes the key, without the work of stretching it: refuses
// fewer than 8 characters, and what follows the prefix when it is no key.
absl::Status CheckKey(std::string_view key);

// A key with the prefix is decoded; any other is stretched by Argon2id (64 MiB,
// 3 passes, about 0.3 s: keep it off the control thread while sessions live).
// `network` salts the stretching. Refuses what CheckKey refuses.
absl::StatusOr<SecretKey> DerivePsk(std::string_view key,
                                    std::string_view network);

// The psk of `encryption = "none"`: all zero, known to everybody.
SecretKey NullPsk();

// A sentence for the operator when `key` is easy to guess.
std::optional<std::string> WeakKeyWarning(std::string_view key);

}  // namespace lwt::handshake
