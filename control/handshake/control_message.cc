#include "control/handshake/control_message.h"

namespace lwt::handshake {

ByteVector BuildControlRecord(ByteSpan message, size_t padding) {
  ByteWriter out;
  out.U16(static_cast<uint16_t>(message.size())).Append(message);
  return out.Zeros(padding).Take();
}

std::optional<ByteSpan> ParseControlRecord(ByteSpan content) {
  ByteReader reader(content);
  ByteSpan message;
  if (!reader.Vector16(&message)) return std::nullopt;
  return message;
}

ByteVector BuildControlMessage(const ControlMessage& message) {
  ByteWriter out;
  out.U32(message.sequence).U32(message.acknowledged);
  out.U8(static_cast<uint8_t>(message.type)).Append(message.body);
  return out.Take();
}

std::optional<ControlMessage> ParseControlMessage(ByteSpan bytes) {
  ByteReader reader(bytes);
  ControlMessage message;
  uint8_t type = 0;
  if (!reader.U32(&message.sequence) || !reader.U32(&message.acknowledged) ||
      !reader.U8(&type) || reader.rest().size() > kMaxControlBody) {
    return std::nullopt;
  }
  message.type = static_cast<ControlType>(type);
  const bool is_ack = message.type == ControlType::kAck;
  if (is_ack != (message.sequence == 0)) return std::nullopt;
  if (is_ack && !reader.empty()) return std::nullopt;
  message.body.assign(reader.rest().begin(), reader.rest().end());
  return message;
}

}  // namespace lwt::handshake
