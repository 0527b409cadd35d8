// STUN messages (RFC 8489) as far as asking and telling how a NAT treats a host
// takes them (RFC 5780): Binding alone, in both directions.
//
// One datagram is one message. Who knows the network's key proves it by
// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6) without a USERNAME: there is one
// key, so nothing has to name it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "control/handshake/crypto.h"
#include "drivers/ip_endpoint.h"

namespace lwt::nat {

// What is longer is not read, and nothing longer is written: it passes every
// path without fragments (RFC 8489 §6.1, for IPv4).
inline constexpr size_t kMostStunBytes = 548;
inline constexpr size_t kStunHeaderSize = 20;
inline constexpr size_t kIntegritySize = 4 + 32;  // the attribute whole

using TransactionId = std::array<uint8_t, 12>;

enum class StunKind : uint16_t {
  kRequest = 0x0001,
  kIndication = 0x0011,
  kSuccess = 0x0101,
  kError = 0x0111,
};

struct StunMessage {
  static constexpr size_t kMostUnknown = 8;

  StunKind kind = StunKind::kRequest;
  TransactionId id{};
  // From another address, or port, of the server (CHANGE-REQUEST).
  bool change_address = false;
  bool change_port = false;
  std::optional<Endpoint> mapped;   // XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS
  std::optional<Endpoint> origin;   // RESPONSE-ORIGIN
  std::optional<Endpoint> other;    // OTHER-ADDRESS
  uint16_t error = 0;               // ERROR-CODE, 300 to 699
  std::vector<uint16_t> unknown;    // whoever reads it has to know them
  std::optional<size_t> integrity;  // where the attribute begins
};

// The message that `bytes` are, and nothing behind it. Empty where they are
// none, have no magic cookie (RFC 3489), or a FINGERPRINT that is wrong.
std::optional<StunMessage> ParseStun(handshake::ByteSpan bytes);

// Whether who wrote `bytes`, of which `message` was parsed, knows `key`.
bool IsProvenBy(handshake::KeySpan key, const StunMessage& message,
                handshake::ByteSpan bytes);

// The bytes of `message`, of what is said there in its own kind: a request's
// CHANGE-REQUEST, a success's endpoints, an error's code and unknown
// attributes. With `key`, proven by it.
handshake::ByteVector FormatStun(const StunMessage& message,
                                 const handshake::SecretKey* key = nullptr);

// The key of a network's members, from the one that they prove themselves by.
handshake::SecretKey StunKeyOf(const handshake::SecretKey& psk);

}  // namespace lwt::nat
