// Link headers: none (tun, ppp), Ethernet, or Ethernet with one VLAN tag.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/wire/be.h"
#include "drivers/headers.h"

namespace lwt::wire {

inline constexpr size_t kMaxLinkSize = kVlanEthernetSize;

// A link header kept by value: destination, source, tag if any, EtherType.
struct LinkHeader {
  std::array<uint8_t, kMaxLinkSize> bytes{};
  uint8_t size = 0;  // 0, 14 or 18
  // Of an uplink of several interfaces, the one that the frame goes by.
  uint8_t leg = 0;

  // Takes at most kMaxLinkSize bytes.
  static LinkHeader From(std::span<const uint8_t> header, uint8_t leg = 0) {
    LinkHeader link;
    link.leg = leg;
    link.size = static_cast<uint8_t>(header.size());
    if (link.size != 0) {
      std::memcpy(link.bytes.data(), header.data(), link.size);
    }
    return link;
  }

  // The header of an answer to the frame that carried this one: the two MAC
  // addresses change places. It leaves by the interface that the frame came by.
  LinkHeader Reflected() const {
    LinkHeader link = *this;
    if (size >= kEthernetSize) {
      std::memcpy(link.bytes.data(), bytes.data() + 6, 6);
      std::memcpy(link.bytes.data() + 6, bytes.data(), 6);
    }
    return link;
  }

  std::span<const uint8_t> span() const { return {bytes.data(), size}; }
  friend bool operator==(const LinkHeader&, const LinkHeader&) = default;
};

using EthernetAddress = std::array<uint8_t, 6>;

// Writes kEthernetSize bytes.
inline void WriteEthernet(uint8_t* to, const EthernetAddress& destination,
                          const EthernetAddress& source, uint16_t type) {
  std::memcpy(to, destination.data(), destination.size());
  std::memcpy(to + 6, source.data(), source.size());
  StoreBe16(to + 12, type);
}

// The EtherType, which ends a link header of 14 or 18 bytes.
inline uint16_t EtherTypeOf(std::span<const uint8_t> header) {
  return LoadBe16(header.data() + header.size() - 2);
}

}  // namespace lwt::wire
