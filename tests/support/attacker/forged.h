// TCP segments over IPv4 as an attacker makes them: any addresses and numbers,
// with checksums that are right.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "tests/support/bad_link/link_model.h"

namespace lwt::attacker {

inline constexpr uint8_t kFin = 0x01;
inline constexpr uint8_t kSyn = 0x02;
inline constexpr uint8_t kRst = 0x04;
inline constexpr uint8_t kPsh = 0x08;
inline constexpr uint8_t kAck = 0x10;

using Mac = std::array<uint8_t, 6>;

// Addresses and ports in host byte order.
struct End {
  uint32_t address = 0;
  uint16_t port = 0;
};

struct Segment {
  End from;
  End to;
  uint32_t seq = 0;
  uint32_t ack = 0;
  uint8_t flags = 0;
  std::span<const uint8_t> payload;
};

// A frame for PacketLeg, its virtio-net header in front. A SYN tells an MSS and
// nothing else.
bad_link::Frame MakeFrame(const Mac& own, const Mac& next_hop,
                          const Segment& segment);

// What a frame of PacketLeg's is, without its payload; nullopt where it is no
// TCP over IPv4.
std::optional<Segment> ParseFrame(std::span<const uint8_t> frame);

}  // namespace lwt::attacker
