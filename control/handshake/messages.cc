#include "control/handshake/messages.h"

#include <algorithm>

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

namespace {

// Family, length, address.
size_t SizeOf(const IpPrefix& network) { return 2 + network.address.size(); }

bool ReadServer(ByteReader& reader, IpAddress* address) {
  uint8_t family = 0;
  if (!reader.U8(&family) || (family != 4 && family != 6)) return false;
  *address = IpAddress::Any(family == 4 ? Family::kIpv4 : Family::kIpv6);
  return reader.Copy(std::span(address->bytes).first(address->size()));
}

bool ReadPrefix(ByteReader& reader, IpPrefix* network) {
  uint8_t family = 0;
  if (!reader.U8(&family) || !reader.U8(&network->length)) return false;
  if (family != 4 && family != 6) return false;
  network->address =
      IpAddress::Any(family == 4 ? Family::kIpv4 : Family::kIpv6);
  const size_t size = network->address.size();
  return network->length <= size * 8 &&
         reader.Copy(std::span(network->address.bytes).first(size));
}

}  // namespace

size_t RoutesMessage::Fitting(std::span<const IpPrefix> networks) {
  size_t room = kMaxControlBody - 5;
  size_t count = 0;
  while (count < networks.size() && SizeOf(networks[count]) <= room) {
    room -= SizeOf(networks[count++]);
  }
  return count;
}

ByteVector RoutesMessage::Build() const {
  const size_t count = Fitting(networks);
  ByteWriter out;
  out.U32(version).U8(static_cast<uint8_t>(count));
  for (const IpPrefix& network : std::span(networks).first(count)) {
    const IpAddress& address = network.address;
    out.U8(address.family == Family::kIpv4 ? 4 : 6).U8(network.length);
    out.Append(ByteSpan(address.bytes).first(address.size()));
  }
  return out.Take();
}

std::optional<RoutesMessage> RoutesMessage::Parse(ByteSpan body) {
  ByteReader reader(body);
  RoutesMessage message;
  uint8_t count = 0;
  if (!reader.U32(&message.version) || !reader.U8(&count)) return std::nullopt;
  message.networks.resize(count);
  for (IpPrefix& network : message.networks) {
    if (!ReadPrefix(reader, &network)) return std::nullopt;
  }
  if (!reader.empty()) return std::nullopt;
  return message;
}

ByteVector RoutesAnswer::Build() const {
  const size_t count = std::min<size_t>(refused.size(), UINT8_MAX);
  ByteWriter out;
  out.U32(version).U8(static_cast<uint8_t>(count));
  for (const Refused& each : std::span(refused).first(count)) {
    out.U8(each.index).U8(static_cast<uint8_t>(each.code));
  }
  return out.Take();
}

std::optional<RoutesAnswer> RoutesAnswer::Parse(ByteSpan body) {
  ByteReader reader(body);
  RoutesAnswer answer;
  uint8_t count = 0;
  if (!reader.U32(&answer.version) || !reader.U8(&count)) return std::nullopt;
  answer.refused.resize(count);
  for (Refused& each : answer.refused) {
    uint8_t code = 0;
    if (!reader.U8(&each.index) || !reader.U8(&code) || code == 0) {
      return std::nullopt;
    }
    each.code = static_cast<RouteCode>(code);
  }
  if (!reader.empty()) return std::nullopt;
  return answer;
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

ByteVector DnsMessage::Build() const {
  const auto some_servers =
      std::span(servers).first(std::min(servers.size(), kMostServers));
  const auto some_domains =
      std::span(domains).first(std::min(domains.size(), kMostDomains));
  ByteWriter out;
  out.U8(static_cast<uint8_t>(some_servers.size()));
  for (const IpAddress& server : some_servers) {
    out.U8(server.family == Family::kIpv4 ? 4 : 6);
    out.Append(ByteSpan(server.bytes).first(server.size()));
  }
  out.U8(static_cast<uint8_t>(some_domains.size()));
  for (const std::string& domain : some_domains) {
    out.U8(static_cast<uint8_t>(domain.size())).Append(domain);
  }
  return out.Take();
}

std::optional<DnsMessage> DnsMessage::Parse(ByteSpan body) {
  ByteReader reader(body);
  DnsMessage message;
  uint8_t count = 0;
  if (!reader.U8(&count) || count > kMostServers) return std::nullopt;
  message.servers.resize(count);
  for (IpAddress& server : message.servers) {
    if (!ReadServer(reader, &server)) return std::nullopt;
  }
  if (!reader.U8(&count) || count > kMostDomains) return std::nullopt;
  for (uint8_t i = 0; i < count; ++i) {
    ByteSpan text;
    if (!reader.Vector8(&text)) return std::nullopt;
    message.domains.emplace_back(text.begin(), text.end());
    if (!IsDomainName(message.domains.back())) return std::nullopt;
  }
  if (!reader.empty()) return std::nullopt;
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
