#include "control/nat/stun_server.h"

namespace lwt::nat {
namespace {

constexpr uint16_t kUnknownAttribute = 420;
constexpr uint16_t kChangeRequestType = 0x0003;

// Where the request wants its answer from; empty where there is no such place.
std::optional<Endpoint> WantedFrom(const StunServer::Place& place,
                                   const StunMessage& request) {
  if (request.change_address) {
    if (!place.other_address) return std::nullopt;
    Endpoint from = *place.other_address;
    if (!request.change_port) from.port = place.local.port;
    return from;
  }
  if (!request.change_port) return place.local;
  if (!place.other_port) return std::nullopt;
  return Endpoint{place.local.address, *place.other_port};
}

}  // namespace

std::optional<StunServer::Answer> StunServer::OnDatagram(
    const Place& place, const Endpoint& source, handshake::ByteSpan bytes,
    uint64_t now_us) {
  const std::optional<StunMessage> request = ParseStun(bytes);
  if (!request || request->kind != StunKind::kRequest ||
      !limit_.Allow(source.address, now_us)) {
    return std::nullopt;
  }
  const std::optional<handshake::SecretKey> key = KeyOf(*request, bytes);
  if (!key && !config_.open) return std::nullopt;

  StunMessage answer{.kind = StunKind::kSuccess, .id = request->id};
  const std::optional<Endpoint> from = WantedFrom(place, *request);
  if (!request->unknown.empty() || !from) {
    answer.kind = StunKind::kError;
    answer.error = kUnknownAttribute;
    answer.unknown = request->unknown;
    if (!from) answer.unknown.push_back(kChangeRequestType);
  } else {
    answer.mapped = source;
    answer.origin = *from;
    answer.other = place.other_address;
  }
  return Answer{from.value_or(place.local),
                FormatStun(answer, key ? &*key : nullptr)};
}

std::optional<handshake::SecretKey> StunServer::KeyOf(
    const StunMessage& request, handshake::ByteSpan bytes) const {
  if (!request.integrity) return std::nullopt;
  for (const handshake::KeyRing::Key& known : config_.keys.keys()) {
    handshake::SecretKey key = StunKeyOf(known.psk);
    if (IsProvenBy(key, request, bytes)) return key;
  }
  return std::nullopt;
}

}  // namespace lwt::nat
