// The frame of control messages: the bytes inside a sealed record of kind
// control. What their bodies say is messages.h.
#pragma once

#include <optional>

#include "control/handshake/bytes.h"

namespace lwt::handshake {

inline constexpr size_t kControlHeaderSize = 9;
// Fits one record on every path that carries IPv6 (1280 bytes).
inline constexpr size_t kMaxControlBody = 1024;

enum class ControlType : uint8_t {
  kAck = 0,
  kRekeyRequest = 1,
  kRekeyOffer = 2,
  kRekeyAnswer = 3,
  kRekeyDone = 4,
  kNotice = 5,
  kRoutes = 6,
  kRoutesAnswer = 7,
  kMtu = 8,
  kNewKey = 9,
  kKeyKept = 10,
  kDns = 13,
  kAbout = 14,
};

// `type` may hold a value that this version does not know.
struct ControlMessage {
  uint32_t sequence = 0;  // 0 in a pure acknowledgement
  uint32_t acknowledged = 0;
  ControlType type = ControlType::kAck;
  ByteVector body;
};

// The content of a control record: a message and padding behind it, since
// messages of one length at fixed times would show.
ByteVector BuildControlRecord(ByteSpan message, size_t padding);
// The message in it; nullopt when its length points past the end.
std::optional<ByteSpan> ParseControlRecord(ByteSpan content);

ByteVector BuildControlMessage(const ControlMessage& message);
// nullopt when too short, too long, or a numbered ack or unnumbered message.
std::optional<ControlMessage> ParseControlMessage(ByteSpan bytes);

}  // namespace lwt::handshake
