#include "control/handshake/session_secrets.h"

#include <algorithm>

namespace lwt::handshake {
namespace {

constexpr size_t kMaxVerdictText = 512;

void WriteAddresses(ByteWriter* out, const std::vector<IpPrefix>& addresses) {
  const size_t count = std::min(addresses.size(), kMaxTunnelAddresses);
  out->U8(static_cast<uint8_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const IpAddress& address = addresses[i].address;
    out->U8(static_cast<uint8_t>(address.family)).U8(addresses[i].length);
    out->Append(ByteSpan(address.bytes).first(address.size()));
  }
}

void PadTo(ByteWriter* out, size_t size) {
  if (out->size() < size) out->Zeros(size - out->size());
}

bool ReadLanes(ByteReader* reader, uint8_t* lanes) {
  return reader->U8(lanes) && *lanes >= 1 && *lanes <= kMaxLanes;
}

bool ReadAddress(ByteReader* reader, IpPrefix* prefix) {
  uint8_t family = 0;
  ByteSpan bytes;
  if (!reader->U8(&family) || (family != 4 && family != 6) ||
      !reader->U8(&prefix->length)) {
    return false;
  }
  const auto kind = static_cast<Family>(family);
  if (!reader->Take(IpAddress::SizeOf(kind), &bytes) ||
      prefix->length > 8 * bytes.size()) {
    return false;
  }
  prefix->address = IpAddress::FromBytes(kind, bytes.data());
  return true;
}

bool ReadAddresses(ByteReader* reader, size_t least,
                   std::vector<IpPrefix>* addresses) {
  uint8_t count = 0;
  if (!reader->U8(&count) || count < least || count > kMaxTunnelAddresses) {
    return false;
  }
  addresses->resize(count);
  return std::all_of(
      addresses->begin(), addresses->end(),
      [reader](IpPrefix& prefix) { return ReadAddress(reader, &prefix); });
}

constexpr struct {
  uint32_t bit;
  const char* name;
} kFeatureTable[] = {{kFeatureRoutes, "routes"},     {kFeatureMtu, "mtu"},
                     {kFeatureRotation, "rotation"}, {kFeatureDns, "dns"},
                     {kFeatureAbout, "about"},       {kFeatureLease, "lease"}};

// Who made a payload before there were features padded it with zeros there, or
// ended it.
uint32_t ReadFeatures(ByteReader* reader) {
  uint32_t features = 0;
  return reader->U32(&features) ? features : 0;
}

bool ReadMtu(ByteReader* reader, uint16_t* mtu) {
  return reader->U16(mtu) && *mtu >= kLeastInnerMtu;
}

}  // namespace

std::vector<std::string> FeatureNames(uint32_t features) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < 32; ++i) {
    const uint32_t bit = features & (1u << i);
    if (bit == 0) continue;
    const auto* known =
        std::find_if(std::begin(kFeatureTable), std::end(kFeatureTable),
                     [bit](const auto& feature) { return feature.bit == bit; });
    names.push_back(known == std::end(kFeatureTable)
                        ? "bit " + std::to_string(i)
                        : known->name);
  }
  return names;
}

NoiseConfig SessionNoise(NoiseRole role, const SecretKey& psk,
                         const StaticKey& identity, RandomSource random) {
  NoiseConfig noise{.role = role,
                    .prologue = AsBytes(kPrologue),
                    .psk = psk.bytes(),
                    .static_secret = identity.secret.bytes()};
  noise.static_public = identity.public_key;
  noise.random = random;
  return noise;
}

// In all payloads, only the version byte of another version is believed, so
// that its sender can be told.
ByteVector BuildHubPayload(const HubPayload& payload, size_t size) {
  ByteWriter out;
  out.U8(payload.offer.version).Append(payload.nonce).U64(payload.session_id);
  out.U16(payload.offer.mtu).U8(payload.offer.lanes);
  WriteAddresses(&out, payload.offer.addresses);
  out.U32(payload.offer.features);
  PadTo(&out, size);
  return out.Take();
}

std::optional<HubPayload> ParseHubPayload(ByteSpan bytes) {
  ByteReader reader(bytes);
  HubPayload payload;
  if (!reader.U8(&payload.offer.version)) return std::nullopt;
  if (payload.offer.version != kProtocolVersion) return payload;
  if (!reader.Copy(payload.nonce) || !reader.U64(&payload.session_id) ||
      !ReadMtu(&reader, &payload.offer.mtu) ||
      !ReadLanes(&reader, &payload.offer.lanes) ||
      !ReadAddresses(&reader, 1, &payload.offer.addresses)) {
    return std::nullopt;
  }
  payload.offer.features = ReadFeatures(&reader);
  return payload;
}

ByteVector BuildClientPayload(const ClientPayload& payload, size_t size) {
  ByteWriter out;
  out.U8(payload.offer.version).Append(payload.nonce).U16(payload.offer.mtu);
  out.U8(payload.offer.lanes);
  WriteAddresses(&out, payload.offer.addresses);
  out.U32(payload.offer.features);
  PadTo(&out, size);
  return out.Take();
}

std::optional<ClientPayload> ParseClientPayload(ByteSpan bytes) {
  ByteReader reader(bytes);
  ClientPayload payload;
  if (!reader.U8(&payload.offer.version)) return std::nullopt;
  if (payload.offer.version != kProtocolVersion) return payload;
  if (!reader.Copy(payload.nonce) || !ReadMtu(&reader, &payload.offer.mtu) ||
      !ReadLanes(&reader, &payload.offer.lanes) ||
      !ReadAddresses(&reader, 0, &payload.offer.addresses)) {
    return std::nullopt;
  }
  payload.offer.features = ReadFeatures(&reader);
  return payload;
}

ByteVector BuildVerdict(const VerdictBody& body, size_t size) {
  const std::string_view text =
      std::string_view(body.verdict.text).substr(0, kMaxVerdictText);
  ByteWriter out;
  out.U8(static_cast<uint8_t>(body.verdict.code)).U16(body.mtu);
  out.U16(static_cast<uint16_t>(text.size())).Append(text);
  if (!body.verdict.lease.empty()) WriteAddresses(&out, body.verdict.lease);
  PadTo(&out, size);
  return out.Take();
}

std::optional<VerdictBody> ParseVerdict(ByteSpan bytes) {
  ByteReader reader(bytes);
  VerdictBody body;
  uint8_t code = 0;
  ByteSpan text;
  if (!reader.U8(&code) || !reader.U16(&body.mtu) || !reader.Vector16(&text) ||
      text.size() > kMaxVerdictText) {
    return std::nullopt;
  }
  // Who made a verdict before there were leases ended it here, or padded it.
  if (!reader.empty() && !ReadAddresses(&reader, 0, &body.verdict.lease)) {
    return std::nullopt;
  }
  body.verdict.code = static_cast<VerdictCode>(code);
  body.verdict.text = PrintableText(text);
  return body;
}

}  // namespace lwt::handshake
