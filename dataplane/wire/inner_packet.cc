#include "dataplane/wire/inner_packet.h"

#include <cstring>

#include "dataplane/wire/be.h"
#include "drivers/headers.h"

namespace lwt::wire {
namespace {

constexpr size_t kIpv4MinHeader = 20;
constexpr size_t kIpv6Header = 40;
constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;

std::optional<InnerPacket> ParseIpv4(std::span<const uint8_t> packet) {
  if (packet.size() < kIpv4MinHeader) return std::nullopt;
  const size_t header = size_t{packet[0] & 0x0fu} * 4;
  if (header < kIpv4MinHeader || header > packet.size() ||
      LoadBe16(&packet[2]) != packet.size()) {
    return std::nullopt;
  }
  return InnerPacket{Family::kIpv4, &packet[12], &packet[16]};
}

std::optional<InnerPacket> ParseIpv6(std::span<const uint8_t> packet) {
  if (packet.size() < kIpv6Header ||
      kIpv6Header + LoadBe16(&packet[4]) != packet.size()) {
    return std::nullopt;
  }
  return InnerPacket{Family::kIpv6, &packet[8], &packet[24]};
}

uint32_t Mix(uint32_t hash, uint32_t value) {
  hash ^= value;
  hash *= 0x9e3779b1;  // 2^32 / golden ratio
  return hash ^ (hash >> 15);
}

}  // namespace

std::optional<InnerPacket> ParseInner(std::span<const uint8_t> packet) {
  if (packet.empty()) return std::nullopt;
  switch (packet[0] >> 4) {
    case 4:
      return ParseIpv4(packet);
    case 6:
      return ParseIpv6(packet);
    default:
      return std::nullopt;
  }
}

bool IsRoutable(Family family, const uint8_t* address) {
  if (family == Family::kIpv4) {
    const bool link_local = address[0] == 169 && address[1] == 254;
    // 0/8 and 127/8 (RFC 1122 §3.2.1.3); 224/4 and 240/4 from 224 on.
    return address[0] != 0 && address[0] != 127 && address[0] < 224 &&
           !link_local;
  }
  const bool multicast = address[0] == 0xff;
  const bool link_local = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
  // The unspecified address and the loopback, :: and ::1.
  constexpr uint8_t kZeros[15] = {};
  const bool host_only =
      std::memcmp(address, kZeros, sizeof(kZeros)) == 0 && address[15] <= 1;
  return !multicast && !link_local && !host_only;
}

uint32_t FlowHash(const InnerPacket& inner, std::span<const uint8_t> packet) {
  const bool ipv4 = inner.family == Family::kIpv4;
  const size_t addresses = 2 * IpAddress::SizeOf(inner.family);
  uint32_t hash = 0;
  for (size_t i = 0; i < addresses; i += 4) {
    hash = Mix(hash, LoadBe32(inner.source + i));
  }
  const uint8_t protocol = ipv4 ? packet[9] : packet[6];
  hash = Mix(hash, protocol);
  // A fragment has no ports but in its first piece: leave them out of all.
  const bool fragment = ipv4 && (LoadBe16(&packet[6]) & kFragmentBits) != 0;
  const size_t header = ipv4 ? size_t{packet[0] & 0x0fu} * 4 : kIpv6Header;
  const bool has_ports = protocol == kTcp || protocol == kUdp;
  if (has_ports && !fragment && packet.size() >= header + 4) {
    hash = Mix(hash, LoadBe32(&packet[header]));
  }
  return hash;
}

}  // namespace lwt::wire
