// What a router does to a packet: one hop less, and a word to the sender when
// it goes no further. All take a packet that ParseInner has accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "drivers/headers.h"
#include "drivers/ip_endpoint.h"

namespace lwt::wire {

// TTL or hop limit.
inline uint8_t HopsLeft(const uint8_t* packet) {
  return IsIpv4(packet) ? packet[8] : packet[7];
}

// Takes one from a TTL or hop limit above 0; the IPv4 header checksum follows
// (RFC 1624). A wrong one stays wrong.
void TakeHop(uint8_t* packet);

// Marks a packet whose sender is known to heed it (RFC 3168 section 5, ECT);
// the IPv4 header checksum follows. False, and nothing is changed, for others.
[[nodiscard]] bool MarkCongestion(uint8_t* packet);

// IPv6, or IPv4 with DF: whoever sent it is told when it is too big.
bool MustNotFragment(const uint8_t* packet);

// An IPv4 packet cut for a smaller MTU (RFC 791 section 3.2). Points into the
// packet, whose checksums are complete.
class Fragments {
 public:
  Fragments(std::span<const uint8_t> packet, uint16_t mtu);

  // 0 where it is not cut: the packet has options, which not every fragment
  // may repeat, or the MTU leaves no room.
  size_t count() const { return count_; }
  // Writes fragment `index` (below count) to `out`, which has room for an MTU,
  // and returns its size.
  size_t Write(size_t index, uint8_t* out) const;

 private:
  const std::span<const uint8_t> packet_;
  size_t step_ = 0;  // payload of each but the last, a multiple of 8
  size_t count_ = 0;
};

enum class Obstacle : uint8_t {
  kTimeExceeded,     // RFC 792 type 11, RFC 4443 type 3
  kTooBig,           // RFC 1191 (type 3 code 4), RFC 4443 type 2
  kHostUnreachable,  // RFC 792 type 3 code 1, RFC 4443 type 1 code 3
  kProhibited,       // RFC 1812 type 3 code 13, RFC 4443 type 1 code 1
};

// The longest error that WriteObstacle makes: RFC 4443 section 2.4 (c). For
// IPv4 it is 576 (RFC 1812 section 4.3.2.3).
inline constexpr size_t kLargestObstacle = 1280;

// Writes a whole IP packet from `source`, of the packet's family, to the
// packet's sender; returns its size. `mtu` is that of kTooBig. Nullopt when
// nothing may be said (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)): about
// an ICMP error, a later fragment, or to a sender that is not one host.
std::optional<size_t> WriteObstacle(Obstacle obstacle, uint16_t mtu,
                                    const IpAddress& source,
                                    std::span<const uint8_t> packet,
                                    std::span<uint8_t, kLargestObstacle> out);

}  // namespace lwt::wire
