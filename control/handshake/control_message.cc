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

ByteVector BuildRekeyShare(const RekeyShare& share) {
  ByteWriter out;
  return out.U32(share.epoch).Append(share.public_key).Take();
}

std::optional<RekeyShare> ParseRekeyShare(ByteSpan body) {
  ByteReader reader(body);
  RekeyShare share;
  if (!reader.U32(&share.epoch) || !reader.Copy(share.public_key) ||
      !reader.empty()) {
    return std::nullopt;
  }
  return share;
}

ByteVector BuildRekeyDone(uint32_t epoch) {
  ByteWriter out;
  return out.U32(epoch).Take();
}

std::optional<uint32_t> ParseRekeyDone(ByteSpan body) {
  ByteReader reader(body);
  uint32_t epoch = 0;
  if (!reader.U32(&epoch) || !reader.empty()) return std::nullopt;
  return epoch;
}

ByteVector BuildNotice(const Notice& notice) {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(notice.code));
  out.Append(std::string_view(notice.text).substr(0, kMaxControlBody - 1));
  return out.Take();
}

std::optional<Notice> ParseNotice(ByteSpan body) {
  ByteReader reader(body);
  uint8_t code = 0;
  if (!reader.U8(&code)) return std::nullopt;
  return Notice{.code = static_cast<NoticeCode>(code),
                .text = PrintableText(reader.rest())};
}

}  // namespace lwt::handshake
