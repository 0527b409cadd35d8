// Inner TCP and UDP packets for tests, and a slow way to cut a super-frame that
// shares no line with the one under test.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::testing {

using Bytes = std::vector<uint8_t>;

struct InnerSpec {
  Family family = Family::kIpv4;
  bool udp = false;
  uint8_t host = 2;  // from 10.0.0.host or fd00::host to .1
  uint16_t port = 4000;
  uint32_t seq = 1000;
  uint32_t ack = 77;
  uint16_t id = 100;
  bool dont_fragment = true;
  uint8_t flags = 0x10;      // ACK
  uint8_t tcp_options = 12;  // bytes, a multiple of 4
  uint8_t ip_options = 0;    // IPv4, bytes, a multiple of 4
  uint8_t extension = 0;     // IPv6 destination options, a multiple of 8
  size_t payload = 100;
  uint8_t fill = 0;
};

// With right checksums. Payload bytes count up from `fill`.
Bytes MakeInner(const InnerSpec& spec);

size_t IpSize(const InnerSpec& spec);
size_t HeaderSize(const InnerSpec& spec);

// Puts the pseudo header's sum in the place of the TCP or UDP checksum, which
// begins at `l4`.
void Unfinish(Bytes& packet, size_t l4, bool udp);
// The opposite.
void Finish(Bytes& packet, size_t l4, bool udp);
// Of the IPv4 header, if there is one, and of TCP or UDP.
bool HasRightChecksums(const Bytes& packet, size_t l4, bool udp);

// The packets that a super-frame stands for, checksums complete.
std::vector<Bytes> SlowSegments(const Bytes& super, size_t l4, bool udp,
                                size_t segment_size);

}  // namespace lwt::testing
