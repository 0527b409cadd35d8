#include "control/handshake/tls_shape.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lwt::handshake {
namespace {

// Handshake types (RFC 8446 §4) and extension types (IANA registry).
constexpr uint8_t kClientHelloType = 1;
constexpr uint8_t kServerHelloType = 2;
constexpr uint16_t kExtServerName = 0;
constexpr uint16_t kExtStatusRequest = 5;
constexpr uint16_t kExtGroups = 10;
constexpr uint16_t kExtPointFormats = 11;
constexpr uint16_t kExtSignatureAlgorithms = 13;
constexpr uint16_t kExtAlpn = 16;
constexpr uint16_t kExtCertificateTimestamp = 18;
constexpr uint16_t kExtPadding = 21;
constexpr uint16_t kExtExtendedMasterSecret = 23;
constexpr uint16_t kExtCompressCertificate = 27;
constexpr uint16_t kExtSessionTicket = 35;
constexpr uint16_t kExtSupportedVersions = 43;
constexpr uint16_t kExtPskModes = 45;
constexpr uint16_t kExtKeyShare = 51;
constexpr uint16_t kExtApplicationSettings = 0x4469;
constexpr uint16_t kExtRenegotiation = 0xff01;
constexpr uint16_t kGroupX25519 = 0x001d;
constexpr uint16_t kTls12 = 0x0303;
constexpr uint16_t kTls13 = 0x0304;
constexpr uint16_t kAes256GcmSha384 = 0x1302;

// Browsers pad a hello of 256 … 511 bytes to 512 (RFC 7685 §4).
constexpr size_t kPaddedHello = 512;

// GREASE (RFC 8701 §2): one of sixteen reserved values.
constexpr uint16_t Grease(uint8_t seed) {
  const auto low = static_cast<uint16_t>((seed & 0xf0) | 0x0a);
  return static_cast<uint16_t>(low << 8 | low);
}

void AddNumbers(ByteWriter* out, uint16_t extension,
                std::initializer_list<uint16_t> numbers) {
  out->U16(extension);
  const size_t body = out->Open(2);
  const size_t list = out->Open(2);
  for (uint16_t number : numbers) out->U16(number);
  out->Close(list, 2);
  out->Close(body, 2);
}

void AddRaw(ByteWriter* out, uint16_t extension,
            std::initializer_list<uint8_t> body) {
  out->U16(extension).U16(static_cast<uint16_t>(body.size()));
  out->Append(ByteSpan(body.begin(), body.size()));
}

void AddServerName(ByteWriter* out, std::string_view name) {
  out->U16(kExtServerName);
  const size_t body = out->Open(2);
  const size_t list = out->Open(2);
  out->U8(0);  // host_name
  out->U16(static_cast<uint16_t>(name.size())).Append(name);
  out->Close(list, 2);
  out->Close(body, 2);
}

void AddAlpn(ByteWriter* out) {
  out->U16(kExtAlpn);
  const size_t body = out->Open(2);
  const size_t list = out->Open(2);
  for (std::string_view name : {"h2", "http/1.1"}) {
    out->U8(static_cast<uint8_t>(name.size())).Append(name);
  }
  out->Close(list, 2);
  out->Close(body, 2);
}

void AddClientKeyShare(ByteWriter* out, uint16_t grease, ByteSpan key_share) {
  out->U16(kExtKeyShare);
  const size_t body = out->Open(2);
  const size_t list = out->Open(2);
  out->U16(grease).U16(1).U8(0);
  out->U16(kGroupX25519).U16(static_cast<uint16_t>(key_share.size()));
  out->Append(key_share);
  out->Close(list, 2);
  out->Close(body, 2);
}

void AddClientVersions(ByteWriter* out, uint16_t grease) {
  out->U16(kExtSupportedVersions).U16(7);
  out->U8(6).U16(grease).U16(kTls13).U16(kTls12);
}

// What is offered between the two GREASE extensions.
constexpr std::array kOffered = {kExtServerName,
                                 kExtExtendedMasterSecret,
                                 kExtRenegotiation,
                                 kExtGroups,
                                 kExtPointFormats,
                                 kExtSessionTicket,
                                 kExtAlpn,
                                 kExtStatusRequest,
                                 kExtSignatureAlgorithms,
                                 kExtCertificateTimestamp,
                                 kExtKeyShare,
                                 kExtPskModes,
                                 kExtSupportedVersions,
                                 kExtCompressCertificate,
                                 kExtApplicationSettings};

// A browser of this kind deals its extensions again for each hello. Fisher and
// Yates, by the numbers of SplitMix64.
std::array<uint16_t, kOffered.size()> Dealt(uint64_t seed) {
  auto order = kOffered;
  for (size_t left = order.size(); left > 1; --left) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    std::swap(order[left - 1], order[(mixed ^ mixed >> 31) % left]);
  }
  return order;
}

void AddClientExtension(ByteWriter* out, uint16_t type,
                        const HelloFields& fields,
                        std::string_view server_name) {
  const uint8_t* seed = &fields.random_and_session_id[24];
  const uint16_t group = Grease(seed[1]);
  switch (type) {
    case kExtServerName:
      return AddServerName(out, server_name);
    case kExtGroups:
      return AddNumbers(out, type, {group, kGroupX25519, 0x0017, 0x0018});
    case kExtAlpn:
      return AddAlpn(out);
    case kExtSignatureAlgorithms:
      return AddNumbers(
          out, type,
          {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601});
    case kExtKeyShare:
      return AddClientKeyShare(out, group, fields.key_share);
    case kExtSupportedVersions:
      return AddClientVersions(out, Grease(seed[3]));
    case kExtStatusRequest:
      return AddRaw(out, type, {1, 0, 0, 0, 0});
    case kExtPointFormats:
      return AddRaw(out, type, {1, 0});
    case kExtPskModes:
      return AddRaw(out, type, {1, 1});
    case kExtRenegotiation:
      return AddRaw(out, type, {0});
    case kExtCompressCertificate:
      return AddRaw(out, type, {2, 0, 2});  // brotli
    case kExtApplicationSettings:
      return AddRaw(out, type, {0, 3, 2, 'h', '2'});
    default:
      return AddRaw(out, type, {});
  }
}

void AddClientExtensions(ByteWriter* out, const HelloFields& fields,
                         std::string_view server_name) {
  // GREASE and order follow from the eight bytes of `random` that mean
  // nothing, so that a hello is a function of its fields.
  const auto seed = ByteSpan(fields.random_and_session_id).subspan<24, 8>();
  uint64_t number = 0;
  for (const uint8_t byte : seed) number = number << 8 | byte;
  AddRaw(out, Grease(seed[2]), {});
  for (const uint16_t type : Dealt(number)) {
    AddClientExtension(out, type, fields, server_name);
  }
  // Its own value: two extensions of one type are forbidden.
  AddRaw(out, Grease(static_cast<uint8_t>(seed[2] ^ 0x10)), {0});
}

bool ReadHandshakeHeader(ByteSpan body, uint8_t type, ByteReader* reader) {
  uint8_t seen = 0;
  uint32_t size = 0;
  *reader = ByteReader(body);
  return reader->U8(&seen) && seen == type && reader->U24(&size) &&
         size == reader->rest().size();
}

bool ReadRandomAndSessionId(ByteReader* reader, HelloFields* fields) {
  ByteSpan session_id;
  uint16_t version = 0;
  if (!reader->U16(&version) || version != kTls12 ||
      !reader->Copy(fields->random()) || !reader->Vector8(&session_id) ||
      session_id.size() != 32) {
    return false;
  }
  std::memcpy(fields->session_id().data(), session_id.data(), 32);
  return true;
}

// Calls visit(type, body) for each; false when they do not parse or visit does.
template <typename Visit>
bool ForEachExtension(ByteReader* reader, Visit visit) {
  ByteSpan all;
  if (!reader->Vector16(&all) || !reader->empty()) return false;
  ByteReader rest(all);
  while (!rest.empty()) {
    uint16_t type = 0;
    ByteSpan body;
    if (!rest.U16(&type) || !rest.Vector16(&body) || !visit(type, body)) {
      return false;
    }
  }
  return true;
}

bool ReadClientKeyShare(ByteSpan body, HelloFields* fields, bool* found) {
  ByteReader reader(body);
  ByteSpan list;
  if (!reader.Vector16(&list) || !reader.empty()) return false;
  ByteReader shares(list);
  while (!shares.empty()) {
    uint16_t group = 0;
    ByteSpan key;
    if (!shares.U16(&group) || !shares.Vector16(&key)) return false;
    if (group != kGroupX25519 || *found) continue;
    if (key.size() != fields->key_share.size()) return false;
    std::memcpy(fields->key_share.data(), key.data(), key.size());
    *found = true;
  }
  return true;
}

bool ReadClientVersions(ByteSpan body, bool* found) {
  ByteReader reader(body);
  ByteSpan list;
  if (!reader.Vector8(&list) || !reader.empty()) return false;
  ByteReader versions(list);
  uint16_t version = 0;
  while (versions.U16(&version)) *found |= version == kTls13;
  return versions.empty();
}

}  // namespace

ByteVector BuildRecord(TlsType type, ByteSpan body) {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(type)).U16(kTls12);
  out.U16(static_cast<uint16_t>(body.size())).Append(body);
  return out.Take();
}

ByteVector BuildClientHello(const HelloFields& fields,
                            std::string_view server_name) {
  if (server_name.size() > 255) return {};
  ByteWriter out;
  out.U8(static_cast<uint8_t>(TlsType::kHandshake)).U16(0x0301);
  const size_t record = out.Open(2);
  out.U8(kClientHelloType);
  const size_t hello = out.Open(3);
  out.U16(kTls12).Append(fields.random());
  out.U8(32).Append(fields.session_id());
  const size_t suites = out.Open(2);
  out.U16(Grease(fields.random_and_session_id[24]));
  for (uint16_t suite :
       {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
        0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035}) {
    out.U16(suite);
  }
  out.Close(suites, 2);
  out.U8(1).U8(0);  // no compression
  const size_t extensions = out.Open(2);
  AddClientExtensions(&out, fields, server_name);
  const size_t size = out.size() - record;
  if (size + 4 < kPaddedHello) {
    const size_t padding = kPaddedHello - size - 4;
    out.U16(kExtPadding).U16(static_cast<uint16_t>(padding)).Zeros(padding);
  }
  out.Close(extensions, 2);
  out.Close(hello, 3);
  out.Close(record, 2);
  return out.Take();
}

ByteVector BuildServerHello(const HelloFields& fields) {
  ByteWriter out;
  out.U8(static_cast<uint8_t>(TlsType::kHandshake)).U16(kTls12);
  const size_t record = out.Open(2);
  out.U8(kServerHelloType);
  const size_t hello = out.Open(3);
  out.U16(kTls12).Append(fields.random());
  out.U8(32).Append(fields.session_id());
  out.U16(kAes256GcmSha384).U8(0);
  const size_t extensions = out.Open(2);
  out.U16(kExtKeyShare).U16(36).U16(kGroupX25519).U16(32);
  out.Append(fields.key_share);
  out.U16(kExtSupportedVersions).U16(2).U16(kTls13);
  out.Close(extensions, 2);
  out.Close(hello, 3);
  out.Close(record, 2);
  return out.Take();
}

std::optional<HelloFields> ParseClientHello(ByteSpan body) {
  ByteReader reader({});
  HelloFields fields;
  ByteSpan suites;
  ByteSpan compression;
  if (!ReadHandshakeHeader(body, kClientHelloType, &reader) ||
      !ReadRandomAndSessionId(&reader, &fields) || !reader.Vector16(&suites) ||
      !reader.Vector8(&compression)) {
    return std::nullopt;
  }
  bool has_share = false;
  bool has_version = false;
  const bool good =
      ForEachExtension(&reader, [&](uint16_t type, ByteSpan extension) {
        if (type == kExtKeyShare) {
          return ReadClientKeyShare(extension, &fields, &has_share);
        }
        return type != kExtSupportedVersions ||
               ReadClientVersions(extension, &has_version);
      });
  if (!good || !has_share || !has_version) return std::nullopt;
  return fields;
}

std::optional<HelloFields> ParseServerHello(ByteSpan body) {
  ByteReader reader({});
  HelloFields fields;
  uint16_t suite = 0;
  uint8_t compression = 0;
  if (!ReadHandshakeHeader(body, kServerHelloType, &reader) ||
      !ReadRandomAndSessionId(&reader, &fields) || !reader.U16(&suite) ||
      suite != kAes256GcmSha384 || !reader.U8(&compression) ||
      compression != 0) {
    return std::nullopt;
  }
  bool has_share = false;
  bool has_version = false;
  const bool good =
      ForEachExtension(&reader, [&](uint16_t type, ByteSpan extension) {
        ByteReader value(extension);
        uint16_t number = 0;
        if (type == kExtKeyShare) {
          uint16_t size = 0;
          has_share = value.U16(&number) && number == kGroupX25519 &&
                      value.U16(&size) && size == 32 &&
                      value.Copy(fields.key_share) && value.empty();
          return has_share;
        }
        if (type == kExtSupportedVersions) {
          has_version = value.U16(&number) && number == kTls13 && value.empty();
          return has_version;
        }
        return true;
      });
  if (!good || !has_share || !has_version) return std::nullopt;
  return fields;
}

TlsReader::Result TlsReader::Peek(ByteSpan bytes, TlsRecord* record,
                                  size_t* size) {
  const auto first = static_cast<uint8_t>(TlsType::kChangeCipherSpec);
  const auto last = static_cast<uint8_t>(TlsType::kApplicationData);
  if (!bytes.empty() && (bytes[0] < first || bytes[0] > last)) {
    return Result::kError;
  }
  // Version 0x0301 stands in a first ClientHello (RFC 8446 §5.1).
  if (bytes.size() > 1 && bytes[1] != 3) return Result::kError;
  if (bytes.size() > 2 && bytes[2] != 3 && !(bytes[2] == 1 && bytes[0] == 22)) {
    return Result::kError;
  }
  if (bytes.size() < kTlsHeaderSize) return Result::kNeedMore;
  const size_t body = static_cast<size_t>(bytes[3]) << 8 | bytes[4];
  if (body == 0 || body > kMaxTlsBody) return Result::kError;
  if (bytes.size() - kTlsHeaderSize < body) return Result::kNeedMore;
  record->type = static_cast<TlsType>(bytes[0]);
  record->body = bytes.subspan(kTlsHeaderSize, body);
  *size = kTlsHeaderSize + body;
  return Result::kRecord;
}

void TlsReader::Feed(ByteSpan bytes) {
  if (error_) return;
  buffer_.erase(buffer_.begin(),
                buffer_.begin() + static_cast<ptrdiff_t>(consumed_));
  consumed_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

TlsReader::Result TlsReader::Next(TlsRecord* record) {
  if (error_) return Result::kError;
  size_t size = 0;
  const Result result = Peek(pending(), record, &size);
  if (result == Result::kRecord) consumed_ += size;
  error_ = result == Result::kError;
  return result;
}

}  // namespace lwt::handshake
