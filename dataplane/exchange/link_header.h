// The link-layer header in front of every outer packet: 0 bytes on tun and
// ppp, 14 on Ethernet, 18 with a VLAN tag.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace lwt {

struct LinkHeader {
  std::array<uint8_t, 18> bytes{};
  uint8_t size = 0;

  std::span<const uint8_t> span() const { return {bytes.data(), size}; }
  friend bool operator==(const LinkHeader&, const LinkHeader&) = default;
};

}  // namespace lwt
