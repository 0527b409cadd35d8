#include "control/handshake/messages.h"

namespace lwt::handshake {

std::optional<RekeyRequest> RekeyRequest::Parse(ByteSpan body) {
  if (!body.empty()) return std::nullopt;
  return RekeyRequest{};
}

template <ControlType type>
ByteVector RekeyShare<type>::Build() const {
  ByteWriter out;
  return out.U32(epoch).Append(public_key).Take();
}

template <ControlType type>
std::optional<RekeyShare<type>> RekeyShare<type>::Parse(ByteSpan body) {
  ByteReader reader(body);
  RekeyShare share;
  if (!reader.U32(&share.epoch) || !reader.Copy(share.public_key) ||
      !reader.empty()) {
    return std::nullopt;
  }
  return share;
}

template struct RekeyShare<ControlType::kRekeyOffer>;
template struct RekeyShare<ControlType::kRekeyAnswer>;

ByteVector RekeyDone::Build() const {
  ByteWriter out;
  return out.U32(epoch).Take();
}

std::optional<RekeyDone> RekeyDone::Parse(ByteSpan body) {
  ByteReader reader(body);
  uint32_t epoch = 0;
  if (!reader.U32(&epoch) || !reader.empty()) return std::nullopt;
  return RekeyDone{.epoch = epoch};
}

ByteVector Notice::Build() const {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(code));
  out.Append(std::string_view(text).substr(0, kMaxControlBody - 1));
  return out.Take();
}

std::optional<Notice> Notice::Parse(ByteSpan body) {
  ByteReader reader(body);
  uint8_t code = 0;
  if (!reader.U8(&code)) return std::nullopt;
  return Notice{.code = static_cast<NoticeCode>(code),
                .text = PrintableText(reader.rest())};
}

ByteVector MtuMessage::Build() const {
  ByteWriter out;
  return out.U16(mtu).Take();
}

std::optional<MtuMessage> MtuMessage::Parse(ByteSpan body) {
  ByteReader reader(body);
  MtuMessage message;
  if (!reader.U16(&message.mtu) || message.mtu < kLeastInnerMtu ||
      !reader.empty()) {
    return std::nullopt;
  }
  return message;
}

ByteVector NewKey::Build() const {
  ByteWriter out;
  return out.Append(IdOfKey(key)).U32(grace_s).Append(key).Take();
}

std::optional<NewKey> NewKey::Parse(ByteSpan body) {
  ByteReader reader(body);
  KeyId id;
  NewKey message;
  if (!reader.Copy(id) || !reader.U32(&message.grace_s)) return std::nullopt;
  message.key.assign(reader.rest().begin(), reader.rest().end());
  if (!IsGeneratedKey(message.key) || IdOfKey(message.key) != id) {
    return std::nullopt;
  }
  return message;
}

ByteVector KeyKept::Build() const {
  ByteWriter out;
  return out.Append(id).U8(static_cast<uint8_t>(where)).Take();
}

std::optional<KeyKept> KeyKept::Parse(ByteSpan body) {
  ByteReader reader(body);
  KeyKept message;
  uint8_t where = 0;
  if (!reader.Copy(message.id) || !reader.U8(&where) || !reader.empty() ||
      where > static_cast<uint8_t>(Where::kStateDirectory)) {
    return std::nullopt;
  }
  message.where = static_cast<Where>(where);
  return message;
}

ByteVector About::Build() const {
  const std::string_view text =
      std::string_view(version).substr(0, kMaxVersion);
  ByteWriter out;
  out.U8(static_cast<uint8_t>(text.size())).Append(text).U32(features);
  return out.Take();
}

std::optional<About> About::Parse(ByteSpan body) {
  ByteReader reader(body);
  ByteSpan text;
  About about;
  if (!reader.Vector8(&text) || text.size() > kMaxVersion ||
      !reader.U32(&about.features) || !reader.empty()) {
    return std::nullopt;
  }
  about.version = PrintableText(text);
  return about;
}

}  // namespace lwt::handshake
