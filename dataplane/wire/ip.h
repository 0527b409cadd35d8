// IPv4 (RFC 791) and IPv6 (RFC 8200) headers around a TCP segment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/drop_reason.h"
#include "drivers/headers.h"
#include "drivers/ip_endpoint.h"

namespace lwt::wire {

inline constexpr uint8_t kDefaultTtl = 64;  // Linux's, RFC 1700

constexpr size_t IpHeaderSize(Family family) {
  return family == Family::kIpv4 ? kIpv4HeaderSize : kIpv6HeaderSize;
}

// What of an IP packet the layers above ask for.
struct IpView {
  Family family = Family::kIpv4;
  IpAddress source;
  IpAddress destination;
  uint8_t traffic_class = 0;  // IPv4: TOS
  // What follows the IP headers, cut at the packet's own length: Ethernet
  // padding is gone.
  std::span<const uint8_t> payload;
};

// Reads the IP headers of a packet that carries TCP. IPv4 options and up to
// four IPv6 extension headers are skipped. Fails with kTruncated, kMalformed,
// kFragment, kNotTcp or kBadChecksum (of the IPv4 header, looked at always).
[[nodiscard]] bool ParseIp(std::span<const uint8_t> packet, IpView& out,
                           DropReason& why);

// Sum over the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) of a TCP segment
// of `tcp_size` bytes.
uint64_t PseudoHeaderSum(const IpAddress& source, const IpAddress& destination,
                         size_t tcp_size);

// Writes an IPv4 header with DF, TTL 64, no options, and the given ID; the
// length covers `tcp_size` bytes and the checksum is right.
void WriteIpv4(uint8_t* to, const IpAddress& source,
               const IpAddress& destination, uint16_t id, size_t tcp_size,
               uint8_t traffic_class = 0);
// Writes an IPv6 header of the given 20-bit flow label, hop limit 64.
void WriteIpv6(uint8_t* to, const IpAddress& source,
               const IpAddress& destination, uint32_t flow_label,
               size_t tcp_size, uint8_t traffic_class = 0);

}  // namespace lwt::wire
