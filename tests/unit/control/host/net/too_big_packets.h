// Errors of a router about a segment that was too large for it, and how they
// come: for tests of who hears them.
#pragma once

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "control/host/net/netlink_types.h"
#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "drivers/headers.h"
#include "drivers/scoped_fd.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {

using Packet = std::vector<uint8_t>;

// `sum` is that of what counts beside the ICMP packet.
inline void PutChecksum(Packet& packet, size_t icmp_at, uint64_t sum) {
  uint8_t* const field = &packet[icmp_at + 2];
  wire::StoreChecksum(field, 0);
  wire::StoreChecksum(
      field,
      wire::ChecksumFinish(
          sum + wire::ChecksumAdd(&packet[icmp_at], packet.size() - icmp_at)));
}

// A router's error about a segment of 1500 bytes from 10.77.0.1:9000 to
// 198.51.100.7:443, which did not fit into 1400; its own header may have
// options.
inline Packet Ipv4Error(size_t options = 0) {
  const size_t header = wire::kIpv4HeaderSize + options;
  Packet packet(header + wire::kIcmpHeaderSize + wire::kIpv4HeaderSize + 8);
  packet[0] = static_cast<uint8_t>(0x40 | header / 4);
  wire::StoreBe16(&packet[2], static_cast<uint16_t>(packet.size()));
  packet[8] = 64;
  packet[9] = wire::kProtocolIcmp;
  for (size_t i = wire::kIpv4HeaderSize; i < header; ++i) packet[i] = 1;
  const IpAddress router = Ip("10.77.0.2");
  const IpAddress here = Ip("10.77.0.1");
  const IpAddress far = Ip("198.51.100.7");
  std::copy_n(router.bytes.begin(), 4, &packet[12]);
  std::copy_n(here.bytes.begin(), 4, &packet[16]);
  packet[header] = 3;
  packet[header + 1] = 4;
  wire::StoreBe16(&packet[header + 6], 1400);
  uint8_t* const quote = &packet[header + wire::kIcmpHeaderSize];
  quote[0] = 0x45;
  wire::StoreBe16(quote + 2, 1500);
  quote[9] = wire::kProtocolTcp;
  std::copy_n(here.bytes.begin(), 4, quote + 12);
  std::copy_n(far.bytes.begin(), 4, quote + 16);
  wire::StoreBe16(quote + 20, 9000);
  wire::StoreBe16(quote + 22, 443);
  wire::StoreBe32(quote + 24, 0x01020304);
  PutChecksum(packet, header, 0);
  wire::StoreChecksum(
      &packet[10], wire::ChecksumFinish(wire::ChecksumAdd(&packet[0], header)));
  return packet;
}

inline Packet Ipv6Error() {
  Packet packet(wire::kIpv6HeaderSize + wire::kIcmpHeaderSize +
                wire::kIpv6HeaderSize + 8);
  const auto payload =
      static_cast<uint16_t>(packet.size() - wire::kIpv6HeaderSize);
  packet[0] = 0x60;
  wire::StoreBe16(&packet[4], payload);
  packet[6] = wire::kProtocolIcmpv6;
  packet[7] = 64;
  const IpAddress router = Ip("fd77::2");
  const IpAddress here = Ip("fd77::1");
  const IpAddress far = Ip("2001:db8::7");
  std::copy_n(router.bytes.begin(), 16, &packet[8]);
  std::copy_n(here.bytes.begin(), 16, &packet[24]);
  uint8_t* const icmp = &packet[wire::kIpv6HeaderSize];
  icmp[0] = 2;
  wire::StoreBe32(icmp + 4, 1400);
  uint8_t* const quote = icmp + wire::kIcmpHeaderSize;
  quote[0] = 0x60;
  wire::StoreBe16(quote + 4, 1460);
  quote[6] = wire::kProtocolTcp;
  std::copy_n(here.bytes.begin(), 16, quote + 8);
  std::copy_n(far.bytes.begin(), 16, quote + 24);
  wire::StoreBe16(quote + 40, 9000);
  wire::StoreBe16(quote + 42, 443);
  wire::StoreBe32(quote + 44, 0x01020304);
  // RFC 8200 §8.1: addresses, length and protocol count.
  PutChecksum(packet, wire::kIpv6HeaderSize,
              wire::ChecksumAdd(&packet[8], 32) + htons(payload) +
                  htons(wire::kProtocolIcmpv6));
  return packet;
}

// Of "wire" in TwoHosts, on the left.
inline constexpr MacAddress kHere = {2, 0, 0, 0, 0, 1};

// By "wire" of the namespace that the caller is in.
inline void SendOnWire(const Packet& packet, const MacAddress& to) {
  const ScopedFd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(if_nametoindex("wire"));
  address.sll_halen = ETH_ALEN;
  std::copy(to.begin(), to.end(), address.sll_addr);
  ASSERT_EQ(
      sendto(fd.get(), packet.data(), packet.size(), 0,
             reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
      static_cast<ssize_t>(packet.size()));
}

}  // namespace lwt::host
