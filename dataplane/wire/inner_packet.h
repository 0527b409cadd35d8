// The IP header of a packet inside the tunnel, as far as the gateway reads it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "drivers/ip_endpoint.h"

namespace lwt::wire {

// Points into the packet it was read from.
struct InnerPacket {
  Family family = Family::kIpv4;
  const uint8_t* source = nullptr;       // 4 or 16 bytes
  const uint8_t* destination = nullptr;  // 4 or 16 bytes
};

// Nullopt when the bytes are not exactly one IPv4 or IPv6 packet: the header's
// length field has to name their number.
[[nodiscard]] std::optional<InnerPacket> ParseInner(
    std::span<const uint8_t> packet);

// False for multicast, limited broadcast, loopback, link-local and unspecified
// addresses: they are never behind a peer.
bool IsRoutable(Family family, const uint8_t* address);

// A hash of the inner flow (addresses, protocol, ports where they lie at the
// front of the payload): the same for all packets of a flow and direction.
uint32_t FlowHash(const InnerPacket& inner, std::span<const uint8_t> packet);

}  // namespace lwt::wire
