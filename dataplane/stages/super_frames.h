// A super-frame from the tunnel device, as Collect, SelectRoute and Split see
// it: mbuf fields by drivers/port.h, with l4_len added by Collect. In a chain
// the first mbuf has all the headers, and more is not looked at before Split.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/burst.h"
#include "dataplane/wire/super_frame.h"

namespace lwt {

[[nodiscard]] inline std::optional<wire::SuperFrame> ReadSuperFrame(
    const rte_mbuf* mbuf) {
  const auto* data = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  const bool udp = (mbuf->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP;
  return wire::ParseSuperFrame({data, mbuf->pkt_len}, mbuf->l3_len, udp,
                               mbuf->tso_segsz);
}

// Bytes of the packet, or of the largest that a super-frame is cut into.
inline uint32_t LargestPacket(const Frame& frame) {
  if (frame.segment_size == 0) return frame.length;
  return frame.mbuf->l3_len + frame.mbuf->l4_len + uint32_t{frame.segment_size};
}

// As many packets as Split can hold beside those of the burst.
inline size_t RoomIn(PacketBurst& packets) {
  size_t used = 0;
  for (const Frame& frame : packets.frames()) used += frame.packets;
  return PacketBurst::kCapacity - std::min(used, PacketBurst::kCapacity);
}

}  // namespace lwt
