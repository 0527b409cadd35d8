// TCP over IPv4 or IPv6 in an Ethernet frame: read, written, and changed as a
// router and a NAT do, which leave a wrong checksum wrong (RFC 1624).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "drivers/headers.h"
#include "drivers/ip_endpoint.h"
#include "tests/support/world/network.h"

namespace lwt::world {

struct TcpSegment {
  Endpoint source;
  Endpoint destination;
  uint32_t seq = 0;
  uint32_t ack = 0;
  uint8_t flags = 0;
  size_t payload_size = 0;

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
  // A SYN that is no answer.
  bool Begins() const { return Has(wire::kSyn) && !Has(wire::kAck); }
  // What it takes of the sequence space.
  uint32_t length() const {
    return static_cast<uint32_t>(payload_size) + Has(wire::kSyn) +
           Has(wire::kFin);
  }
};

// Nullopt where the frame is no TCP, is a fragment, or has IP options or
// extension headers.
std::optional<TcpSegment> SegmentOf(const Bytes& frame);

// `segment` with this payload instead of payload_size; a large window, no
// options, right checksums.
Bytes FrameOf(const TcpSegment& segment, uint8_t ttl = 64,
              std::span<const uint8_t> payload = {});

// Of a frame that SegmentOf reads. The family stays.
void SetSource(Bytes& frame, const Endpoint& source);
void SetDestination(Bytes& frame, const Endpoint& destination);

// Takes `hops` from the TTL or hop limit of an IP packet. False when none would
// be left: the packet has died.
bool TakeHops(Bytes& frame, uint8_t hops);

}  // namespace lwt::world
