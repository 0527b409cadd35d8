// What a router says of one of our segments that was too large for it: ICMP
// "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6 "packet too big" (RFC
// 4443 §3.2). Anybody can say so; OuterTcp has to find it likely.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "drivers/ip_endpoint.h"

namespace lwt::wire {

struct TooBig {
  Endpoint local;   // who sent the segment, and whom the ICMP is for
  Endpoint remote;  // whom the segment was for
  uint32_t sequence = 0;
  uint32_t length = 0;  // of the segment's IP packet
  uint16_t mtu = 0;     // of the link that did not take it
};

// Reads an IP packet. Nullopt unless it is such an ICMP with a right checksum,
// sent to the source of the TCP segment that it quotes, about a packet that was
// larger than the MTU it tells. A router that tells no MTU (before RFC 1191) is
// passed over.
[[nodiscard]] std::optional<TooBig> ParseTooBig(
    std::span<const uint8_t> packet);

}  // namespace lwt::wire
