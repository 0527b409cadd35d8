// The MSS that a TCP connection inside is opened with, lowered to what the
// tunnel takes, so that its segments need no ICMP to fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/headers.h"

namespace lwt::wire {

// Whether a packet that ParseInner has accepted may be a SYN or SYN-ACK. A
// later fragment may look like one.
inline bool MayBeSyn(const uint8_t* packet, size_t size) {
  const bool ipv4 = IsIpv4(packet);
  if (packet[ipv4 ? 9 : 6] != kProtocolTcp) return false;
  const size_t header = ipv4 ? size_t{packet[0] & 0x0fu} * 4 : kIpv6HeaderSize;
  return size > header + kTcpFlagsAt &&
         (packet[header + kTcpFlagsAt] & kSyn) != 0;
}

// Lowers the MSS option of a SYN or SYN-ACK to what packets of `mtu` bytes have
// room for (RFC 6691); the checksum follows (RFC 1624), unless it is
// `unfinished`, which leaves the payload out. True when something changed.
bool ClampMss(std::span<uint8_t> packet, uint16_t mtu, bool unfinished);

}  // namespace lwt::wire
