#include "control/nat/stun.h"

#include <isa-l/crc.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "control/handshake/hkdf.h"

namespace lwt::nat {
namespace {

using handshake::ByteReader;
using handshake::ByteSpan;
using handshake::ByteVector;

constexpr uint32_t kMagicCookie = 0x2112a442;
constexpr uint32_t kFingerprintXor = 0x5354554e;  // RFC 8489 §14.7
constexpr size_t kFingerprintSize = 8;            // the attribute whole

enum : uint16_t {
  kMappedAddress = 0x0001,
  kChangeRequest = 0x0003,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000a,
  kIntegrityBySha256 = 0x001c,
  kXorMappedAddress = 0x0020,
  kFirstOptional = 0x8000,
  kFingerprint = 0x8028,
  kResponseOrigin = 0x802b,
  kOtherAddress = 0x802c,
};
constexpr uint32_t kChangeAddressBit = 4;
constexpr uint32_t kChangePortBit = 2;

constexpr size_t Padded(size_t size) { return (size + 3) / 4 * 4; }

// What an address is XORed with (RFC 8489 §14.2): the cookie, then the id.
std::array<uint8_t, 16> MaskOf(const TransactionId& id) {
  std::array<uint8_t, 16> mask = {0x21, 0x12, 0xa4, 0x42};
  std::copy(id.begin(), id.end(), mask.begin() + 4);
  return mask;
}

// XORed where `mask` is given.
std::optional<Endpoint> ReadEndpoint(ByteSpan value,
                                     const std::array<uint8_t, 16>* mask) {
  ByteReader reader(value);
  uint8_t family = 0;
  Endpoint endpoint;
  if (!reader.Skip(1) || !reader.U8(&family) || !reader.U16(&endpoint.port) ||
      (family != 1 && family != 2)) {
    return std::nullopt;
  }
  IpAddress& address = endpoint.address;
  address.family = family == 1 ? Family::kIpv4 : Family::kIpv6;
  if (!reader.Copy(std::span(address.bytes).first(address.size())) ||
      !reader.empty()) {
    return std::nullopt;
  }
  if (mask == nullptr) return endpoint;
  endpoint.port ^= kMagicCookie >> 16;
  for (size_t i = 0; i < address.size(); ++i) address.bytes[i] ^= (*mask)[i];
  return endpoint;
}

uint32_t FingerprintOf(ByteSpan bytes) {
  return crc32_gzip_refl(0, bytes.data(), bytes.size()) ^ kFingerprintXor;
}

// The HMAC goes over the message up to its attribute, with a length that ends
// with it (RFC 8489 §14.6).
void Authenticate(handshake::KeySpan key, ByteSpan bytes, size_t at,
                  std::span<uint8_t, 32> out) {
  const size_t length = at + kIntegritySize - kStunHeaderSize;
  const uint8_t field[] = {static_cast<uint8_t>(length >> 8),
                           static_cast<uint8_t>(length)};
  handshake::HmacSha256(key, {bytes.first(2), field, bytes.subspan(4, at - 4)},
                        out);
}

// One message being read. False where it is none.
class Reading {
 public:
  Reading(ByteSpan whole, StunMessage& message)
      : whole_(whole), message_(message) {}

  bool Header() {
    ByteReader reader(whole_);
    uint16_t kind = 0;
    uint16_t length = 0;
    uint32_t cookie = 0;
    if (whole_.size() > kMostStunBytes || !reader.U16(&kind) ||
        !reader.U16(&length) || !reader.U32(&cookie) ||
        !reader.Copy(message_.id) || cookie != kMagicCookie ||
        length != reader.rest().size() || length % 4 != 0) {
      return false;
    }
    message_.kind = StunKind{kind};
    rest_ = reader.rest();
    return message_.kind == StunKind::kRequest ||
           message_.kind == StunKind::kIndication ||
           message_.kind == StunKind::kSuccess ||
           message_.kind == StunKind::kError;
  }

  bool Attributes() {
    while (!rest_.empty()) {
      const size_t at = whole_.size() - rest_.size();
      ByteReader reader(rest_);
      uint16_t type = 0;
      uint16_t size = 0;
      ByteSpan value;
      if (!reader.U16(&type) || !reader.U16(&size) ||
          !reader.Take(size, &value) || !reader.Skip(Padded(size) - size)) {
        return false;
      }
      rest_ = reader.rest();
      if (type == kFingerprint) return Fingerprint(at, value);
      // Nobody vouches for what stands behind it.
      if (message_.integrity) continue;
      if (!Attribute(type, value, at)) return false;
    }
    return true;
  }

 private:
  bool Attribute(uint16_t type, ByteSpan value, size_t at) {
    switch (type) {
      case kMappedAddress:
        if (!message_.mapped) message_.mapped = ReadEndpoint(value, nullptr);
        return message_.mapped.has_value();
      case kXorMappedAddress: {
        const auto mask = MaskOf(message_.id);
        message_.mapped = ReadEndpoint(value, &mask);
        return message_.mapped.has_value();
      }
      case kResponseOrigin:
        message_.origin = ReadEndpoint(value, nullptr);
        return message_.origin.has_value();
      case kOtherAddress:
        message_.other = ReadEndpoint(value, nullptr);
        return message_.other.has_value();
      case kChangeRequest:
        return ChangeRequest(value);
      case kErrorCode:
        return ErrorCode(value);
      case kIntegrityBySha256:
        message_.integrity = at;
        return value.size() == 32;
      // By SHA-1, and by keys that are not ours.
      case kMessageIntegrity:
      case kUnknownAttributes:
        return true;
      default:
        if (type < kFirstOptional &&
            message_.unknown.size() < StunMessage::kMostUnknown) {
          message_.unknown.push_back(type);
        }
        return true;
    }
  }

  bool ChangeRequest(ByteSpan value) {
    ByteReader reader(value);
    uint32_t flags = 0;
    if (!reader.U32(&flags) || !reader.empty()) return false;
    message_.change_address = (flags & kChangeAddressBit) != 0;
    message_.change_port = (flags & kChangePortBit) != 0;
    return true;
  }

  bool ErrorCode(ByteSpan value) {
    ByteReader reader(value);
    uint8_t hundreds = 0;
    uint8_t rest = 0;
    if (!reader.Skip(2) || !reader.U8(&hundreds) || !reader.U8(&rest)) {
      return false;
    }
    message_.error = static_cast<uint16_t>((hundreds & 7) * 100 + rest);
    return rest < 100;
  }

  // The last attribute of a message that has one.
  bool Fingerprint(size_t at, ByteSpan value) {
    ByteReader reader(value);
    uint32_t crc = 0;
    return reader.U32(&crc) && reader.empty() && rest_.empty() &&
           crc == FingerprintOf(whole_.first(at));
  }

  const ByteSpan whole_;
  StunMessage& message_;
  ByteSpan rest_;
};

class Writing {
 public:
  explicit Writing(const StunMessage& message) : id_(message.id) {
    U16(static_cast<uint16_t>(message.kind));
    U16(0);
    U32(kMagicCookie);
    bytes_.insert(bytes_.end(), id_.begin(), id_.end());
  }

  void U16(uint16_t value) {
    bytes_.push_back(static_cast<uint8_t>(value >> 8));
    bytes_.push_back(static_cast<uint8_t>(value));
  }
  void U32(uint32_t value) {
    U16(static_cast<uint16_t>(value >> 16));
    U16(static_cast<uint16_t>(value));
  }
  void Head(uint16_t type, size_t size) {
    U16(type);
    U16(static_cast<uint16_t>(size));
  }
  void PutEndpoint(uint16_t type, const Endpoint& endpoint, bool xored) {
    const auto mask = xored ? MaskOf(id_) : std::array<uint8_t, 16>{};
    const IpAddress& address = endpoint.address;
    Head(type, 4 + address.size());
    U16(address.family == Family::kIpv4 ? 1 : 2);
    U16(endpoint.port ^ (xored ? kMagicCookie >> 16 : 0));
    for (size_t i = 0; i < address.size(); ++i) {
      bytes_.push_back(address.bytes[i] ^ mask[i]);
    }
  }
  void Unknown(const std::vector<uint16_t>& types) {
    if (types.empty()) return;
    Head(kUnknownAttributes, 2 * types.size());
    for (const uint16_t type : types) U16(type);
    if (types.size() % 2 != 0) U16(0);
  }
  void Integrity(const handshake::SecretKey& key) {
    const size_t at = bytes_.size();
    Head(kIntegrityBySha256, 32);
    bytes_.resize(bytes_.size() + 32);
    Authenticate(key.bytes(), bytes_, at,
                 std::span<uint8_t, 32>(bytes_.data() + at + 4, 32));
  }
  ByteVector Finish() {
    SetLength(bytes_.size() + kFingerprintSize);
    const uint32_t crc = FingerprintOf(bytes_);
    Head(kFingerprint, 4);
    U32(crc);
    return std::move(bytes_);
  }

 private:
  void SetLength(size_t end) {
    bytes_[2] = static_cast<uint8_t>((end - kStunHeaderSize) >> 8);
    bytes_[3] = static_cast<uint8_t>(end - kStunHeaderSize);
  }

  const TransactionId id_;
  ByteVector bytes_;
};

}  // namespace

std::optional<StunMessage> ParseStun(ByteSpan bytes) {
  StunMessage message;
  Reading reading(bytes, message);
  if (!reading.Header() || !reading.Attributes()) return std::nullopt;
  return message;
}

bool IsProvenBy(handshake::KeySpan key, const StunMessage& message,
                ByteSpan bytes) {
  if (!message.integrity) return false;
  handshake::Digest expected;
  Authenticate(key, bytes, *message.integrity, expected);
  return sodium_memcmp(expected.data(), bytes.data() + *message.integrity + 4,
                       expected.size()) == 0;
}

ByteVector FormatStun(const StunMessage& message,
                      const handshake::SecretKey* key) {
  Writing writing(message);
  if (message.change_address || message.change_port) {
    writing.Head(kChangeRequest, 4);
    writing.U32((message.change_address ? kChangeAddressBit : 0) |
                (message.change_port ? kChangePortBit : 0));
  }
  if (message.mapped) {
    writing.PutEndpoint(kXorMappedAddress, *message.mapped, true);
  }
  if (message.origin) {
    writing.PutEndpoint(kResponseOrigin, *message.origin, false);
  }
  if (message.other) writing.PutEndpoint(kOtherAddress, *message.other, false);
  if (message.error != 0) {
    writing.Head(kErrorCode, 4);
    writing.U16(0);
    writing.U16(static_cast<uint16_t>((message.error / 100) << 8 |
                                      message.error % 100));
    writing.Unknown(message.unknown);
  }
  if (key != nullptr) writing.Integrity(*key);
  return writing.Finish();
}

handshake::SecretKey StunKeyOf(const handshake::SecretKey& psk) {
  handshake::SecretKey key;
  handshake::HkdfSha256({}, psk.bytes(),
                        handshake::AsBytes("lightweight-tunnel/1 stun"),
                        key.bytes());
  return key;
}

}  // namespace lwt::nat
