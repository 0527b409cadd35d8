// Sizes, offsets and bits of the headers that frames begin with: Ethernet (IEEE
// 802.3 and 802.1Q), IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293), UDP (RFC
// 768) and ICMP (RFC 792, RFC 4443).
#pragma once

#include <cstddef>
#include <cstdint>

namespace lwt::wire {

inline constexpr uint8_t kEthernetSize = 14;
inline constexpr uint8_t kVlanTagSize = 4;
inline constexpr uint8_t kVlanEthernetSize = kEthernetSize + kVlanTagSize;
inline constexpr uint8_t kEtherTypeAt = 12;

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;

inline constexpr size_t kIpv4HeaderSize = 20;
inline constexpr size_t kIpv6HeaderSize = 40;
inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmpv6 = 58;
inline constexpr size_t kIcmpHeaderSize = 8;

// In the half-word at 6 of an IPv4 header.
inline constexpr uint16_t kDontFragment = 0x4000;
inline constexpr uint16_t kMoreFragments = 0x2000;
inline constexpr uint16_t kFragmentOffset = 0x1fff;
// A packet with any of these is one of several.
inline constexpr uint16_t kFragmentBits = kMoreFragments | kFragmentOffset;

inline constexpr uint16_t kTcpHeaderSize = 20;
inline constexpr uint16_t kTcpDataOffsetAt = 12;  // in the upper four bits
inline constexpr uint16_t kTcpFlagsAt = 13;
inline constexpr uint16_t kTcpChecksumAt = 16;
inline constexpr uint16_t kUdpHeaderSize = 8;
inline constexpr uint16_t kUdpChecksumAt = 6;

enum TcpFlag : uint8_t {
  kFin = 0x01,
  kSyn = 0x02,
  kRst = 0x04,
  kPsh = 0x08,
  kAck = 0x10,
  kUrg = 0x20,
  kEce = 0x40,
  kCwr = 0x80,
};

// The version in the first byte of an IP packet.
inline bool IsIpv4(const uint8_t* packet) { return packet[0] >> 4 == 4; }
inline bool IsIpv6(const uint8_t* packet) { return packet[0] >> 4 == 6; }

}  // namespace lwt::wire
