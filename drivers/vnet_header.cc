#include "drivers/vnet_header.h"

namespace lwt {
namespace {

// Where the checksum lies in a header, and TCP's flags (RFC 9293 §3.1).
constexpr uint16_t kTcpChecksumOffset = 16;
constexpr uint16_t kUdpChecksumOffset = 6;
constexpr uint16_t kTcpFlagsOffset = 13;
constexpr uint8_t kCwr = 0x80;

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
  header.checksum_offset = udp ? kUdpChecksumOffset : kTcpChecksumOffset;
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
      &frame, const uint8_t*, header.checksum_start + kTcpFlagsOffset);
  if ((tcp_flags & kCwr) != 0) header.gso_type |= kVnetGsoEcn;
  return header;
}

}  // namespace lwt
