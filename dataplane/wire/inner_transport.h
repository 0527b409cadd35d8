// TCP and UDP of a packet inside the tunnel, as far as its checksum and the
// merging of packets ask for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "drivers/ip_endpoint.h"

namespace lwt::wire {

struct InnerTransport {
  Family family = Family::kIpv4;
  bool udp = false;
  uint16_t ip_size = 0;
  uint16_t header_size = 0;  // IP and TCP or UDP

  size_t checksum_at() const { return ip_size + (udp ? 6u : 16u); }
};

// Nullopt unless the bytes are one IP packet in which TCP or UDP follows the
// IPv4 header, or the IPv6 header without extension headers, whole and no
// fragment.
[[nodiscard]] std::optional<InnerTransport> ParseInnerTransport(
    std::span<const uint8_t> packet);

// Sum over the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) for
// `l4_size` bytes from the TCP or UDP header on.
uint64_t InnerPseudoSum(const uint8_t* packet, const InnerTransport& transport,
                        size_t l4_size);

// Whether the checksum is right; one that a UDP sender left out (RFC 768) is
// not. Reads the whole packet.
bool HasRightChecksum(std::span<const uint8_t> packet,
                      const InnerTransport& transport);

// Completes a checksum whose field holds the sum over the pseudo header. Reads
// the whole packet.
void FinishChecksum(std::span<uint8_t> packet, const InnerTransport& transport);

}  // namespace lwt::wire
