#include "control/handshake/psk.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "control/handshake/crypto.h"
#include "control/handshake/session_secrets.h"

namespace lwt::handshake {
namespace {

constexpr size_t kMinKeyLength = 8;
constexpr size_t kChecksumSize = 2;
constexpr unsigned long long kArgonPasses = 3;
constexpr size_t kArgonMemory = 64 << 20;
constexpr int kUrlBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

using EncodedKey = WipedBytes<kKeySize + kChecksumSize>;

// Over the key, so that a mistyped one is told from a wrong one.
std::array<uint8_t, kChecksumSize> Checksum(ByteSpan key) {
  const Digest digest = Sha256({AsBytes(kGeneratedKeyPrefix), key});
  return {digest[0], digest[1]};
}

absl::StatusOr<SecretKey> DecodeKey(std::string_view text) {
  EncodedKey decoded;
  size_t size = 0;
  if (sodium_base642bin(decoded.data(), decoded.size(), text.data(),
                        text.size(), nullptr, &size, nullptr,
                        kUrlBase64) != 0 ||
      size != decoded.size()) {
    return absl::InvalidArgumentError(
        "key: what follows \"lwt1:\" is not a generated key of 46 characters; "
        "copy it again in full, or make one with `lightweight-tunnel genkey`");
  }
  const auto key = std::as_const(decoded).bytes().first<kKeySize>();
  const auto checksum = Checksum(key);
  if (std::memcmp(checksum.data(), decoded.data() + kKeySize, kChecksumSize) !=
      0) {
    return absl::InvalidArgumentError(
        "key: the checksum of the generated key is wrong; a character was "
        "changed in copying");
  }
  return SecretKey(key);
}

}  // namespace

std::string GenerateKey() {
  EncodedKey key;
  RandomBytes(key.bytes().first<kKeySize>());
  const auto checksum = Checksum(key.bytes().first<kKeySize>());
  std::memcpy(key.data() + kKeySize, checksum.data(), kChecksumSize);
  std::array<char, sodium_base64_ENCODED_LEN(EncodedKey::size(), kUrlBase64)>
      text;
  sodium_bin2base64(text.data(), text.size(), key.data(), key.size(),
                    kUrlBase64);
  std::string result(kGeneratedKeyPrefix);
  result += text.data();
  sodium_memzero(text.data(), text.size());
  return result;
}

bool IsGeneratedKey(std::string_view key) {
  return key.size() == kGeneratedKeySize &&
         key.starts_with(kGeneratedKeyPrefix) && CheckKey(key).ok();
}

KeyId IdOfKey(std::string_view text) {
  const Digest digest = Sha256({AsBytes(text)});
  KeyId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

absl::Status CheckKey(std::string_view key) {
  if (key.starts_with(kGeneratedKeyPrefix)) {
    return DecodeKey(key.substr(kGeneratedKeyPrefix.size())).status();
  }
  if (key.size() >= kMinKeyLength) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "key: ", key.size(), " characters are too few, at least ", kMinKeyLength,
      " are needed; `lightweight-tunnel genkey` prints a strong one"));
}

absl::StatusOr<SecretKey> DerivePsk(std::string_view key,
                                    std::string_view network) {
  if (key.starts_with(kGeneratedKeyPrefix)) {
    return DecodeKey(key.substr(kGeneratedKeyPrefix.size()));
  }
  absl::Status usable = CheckKey(key);
  if (!usable.ok()) return usable;
  constexpr uint8_t kSeparator = 0;
  const Digest salt =
      Sha256({AsBytes(kPrologue), ByteSpan(&kSeparator, 1), AsBytes(network)});
  static_assert(crypto_pwhash_SALTBYTES == 16);
  SecretKey psk;
  if (crypto_pwhash(psk.bytes().data(), psk.size(), key.data(), key.size(),
                    salt.data(), kArgonPasses, kArgonMemory,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return absl::ResourceExhaustedError(
        "key: stretching it with Argon2id needs 64 MiB of memory, which could "
        "not be had; free memory, or use a key of `lightweight-tunnel genkey`");
  }
  return psk;
}

SecretKey NullPsk() { return SecretKey(); }

std::optional<std::string> WeakKeyWarning(std::string_view key) {
  if (key.starts_with(kGeneratedKeyPrefix)) return std::nullopt;
  const std::set<char> distinct(key.begin(), key.end());
  const bool digits_only =
      key.find_first_not_of("0123456789") == std::string_view::npos;
  std::string_view reason;
  if (key.size() < 12) {
    reason = "it is shorter than 12 characters";
  } else if (distinct.size() < 6) {
    reason = "it has fewer than 6 different characters";
  } else if (digits_only && key.size() < 20) {
    reason = "it is digits only";
  } else {
    return std::nullopt;
  }
  return absl::StrCat("the key is easy to guess: ",
                      absl::string_view(reason.data(), reason.size()),
                      "; `lightweight-tunnel genkey` prints a strong one");
}

}  // namespace lwt::handshake
