// What precedes each packet on a kernel port with super-frames (packet sockets
// with PACKET_VNET_HDR, tun devices with IFF_VNET_HDR): struct virtio_net_hdr
// of linux/virtio_net.h, a header that is not C++. Host byte order.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace lwt {

struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_size = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

// Flags. The sum over the pseudo header stands in the checksum field, and the
// rest is to be summed from checksum_start on; or the checksum was verified.
inline constexpr uint8_t kVnetNeedsChecksum = 1;
inline constexpr uint8_t kVnetDataValid = 2;

// gso_type. kVnetGsoEcn stands beside a TCP type when CWR is set.
inline constexpr uint8_t kVnetNoGso = 0;
inline constexpr uint8_t kVnetGsoTcp4 = 1;
inline constexpr uint8_t kVnetGsoTcp6 = 4;
inline constexpr uint8_t kVnetGsoUdp = 5;  // GSO_UDP_L4, not fragments
inline constexpr uint8_t kVnetGsoEcn = 0x80;

// Whether a frame for Transmit asks to be cut into segments.
inline bool IsSuperFrame(const rte_mbuf& frame) {
  return (frame.ol_flags & (RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG)) !=
         0;
}

// What a frame for Transmit asks of the kernel by its flags and lengths
// (port.h). Its headers lie in the first mbuf.
VnetHeader VnetHeaderOf(const rte_mbuf& frame);

// Tells by flags and lengths what the kernel says of a received frame of the
// inside (port.h), whose IP header lies behind `link_size` bytes. Completes the
// checksum of a packet that is not plain TCP or UDP.
void DescribeInside(const VnetHeader& header, size_t link_size,
                    rte_mbuf* frame);

}  // namespace lwt
