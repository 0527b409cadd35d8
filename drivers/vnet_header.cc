#include "drivers/vnet_header.h"

#include <rte_ip.h>

#include <cstring>

#include "drivers/headers.h"

namespace lwt {
namespace {

// What the nine bits of rte_mbuf::l3_len hold.
constexpr uint16_t kLargestL3 = 511;

using wire::IsIpv6;
using wire::kTcpChecksumAt;
using wire::kUdpChecksumAt;

uint16_t IpHeaderSize(const uint8_t* packet) {
  return IsIpv6(packet) ? wire::kIpv6HeaderSize
                        : static_cast<uint16_t>((packet[0] & 0x0f) * 4);
}

// Whether the checksum left open is that of TCP or UDP right behind the IP
// header, and not, say, that of a packet inside an encapsulation.
bool IsPlain(const VnetHeader& header, size_t link_size, const uint8_t* packet,
             size_t size) {
  if (size < wire::kIpv4HeaderSize ||
      (size < wire::kIpv6HeaderSize && IsIpv6(packet))) {
    return false;
  }
  if (header.checksum_start != link_size + IpHeaderSize(packet)) return false;
  const bool fragment = !IsIpv6(packet) && (packet[6] & 0x3f) + packet[7] != 0;
  const uint8_t protocol = IsIpv6(packet) ? packet[6] : packet[9];
  return !fragment && ((protocol == wire::kProtocolTcp &&
                        header.checksum_offset == kTcpChecksumAt) ||
                       (protocol == wire::kProtocolUdp &&
                        header.checksum_offset == kUdpChecksumAt));
}

// Sums what the kernel has left to the device.
void FinishChecksum(const VnetHeader& header, rte_mbuf* frame) {
  const size_t size = frame->data_len;
  const size_t start = header.checksum_start;
  const size_t at = start + header.checksum_offset;
  if (at + sizeof(uint16_t) > size) return;
  auto* data = rte_pktmbuf_mtod(frame, uint8_t*);
  auto sum = static_cast<uint16_t>(~rte_raw_cksum(data + start, size - start));
  if (sum == 0 && header.checksum_offset == kUdpChecksumAt) sum = 0xffff;
  std::memcpy(data + at, &sum, sizeof(sum));
}

}  // namespace

VnetHeader VnetHeaderOf(const rte_mbuf& frame) {
  VnetHeader header;
  const uint64_t flags = frame.ol_flags;
  const uint64_t checksum = flags & RTE_MBUF_F_TX_L4_MASK;
  if (!IsSuperFrame(frame) && checksum == 0) return header;
  const bool udp = (flags & RTE_MBUF_F_TX_UDP_SEG) != 0 ||
                   checksum == RTE_MBUF_F_TX_UDP_CKSUM;
  header.flags = kVnetNeedsChecksum;
  header.checksum_start = static_cast<uint16_t>(frame.l2_len + frame.l3_len);
  header.checksum_offset = udp ? kUdpChecksumAt : kTcpChecksumAt;
  if (!IsSuperFrame(frame)) return header;
  header.header_size =
      static_cast<uint16_t>(header.checksum_start + frame.l4_len);
  header.gso_size = frame.tso_segsz;
  if (udp) {
    header.gso_type = kVnetGsoUdp;
    return header;
  }
  header.gso_type =
      (flags & RTE_MBUF_F_TX_IPV6) != 0 ? kVnetGsoTcp6 : kVnetGsoTcp4;
  const uint8_t tcp_flags = *rte_pktmbuf_mtod_offset(
      &frame, const uint8_t*, header.checksum_start + wire::kTcpFlagsAt);
  if ((tcp_flags & wire::kCwr) != 0) header.gso_type |= kVnetGsoEcn;
  return header;
}

void DescribeInside(const VnetHeader& header, size_t link_size,
                    rte_mbuf* frame) {
  const auto* packet =
      rte_pktmbuf_mtod_offset(frame, const uint8_t*, link_size);
  const bool unfinished = (header.flags & kVnetNeedsChecksum) != 0;
  if (header.gso_type != kVnetNoGso) {
    frame->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    frame->packet_type =
        header.gso_type == kVnetGsoUdp ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP;
    frame->tso_segsz = header.gso_size;
    // 0 is refused by whoever reads the frame.
    const size_t ip_size = header.checksum_start - link_size;
    const bool usable = unfinished && header.checksum_start >= link_size &&
                        ip_size <= kLargestL3;
    frame->l3_len = usable ? static_cast<uint16_t>(ip_size) : 0;
  } else if (unfinished && frame->data_len > link_size &&
             IsPlain(header, link_size, packet, frame->data_len - link_size)) {
    frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  } else if (unfinished) {
    FinishChecksum(header, frame);
    frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  } else if ((header.flags & kVnetDataValid) != 0) {
    frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  }
}

}  // namespace lwt
