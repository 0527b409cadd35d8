#include <algorithm>

#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Packets of one turn, each segment of a super-frame counted: the uplink has
// its turn after about 0.1 ms of them.
constexpr size_t kMostPackets = 256;

InnerChecksum ChecksumOf(const rte_mbuf* mbuf) {
  const uint64_t flags = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (flags == RTE_MBUF_F_RX_L4_CKSUM_NONE) return InnerChecksum::kUnfinished;
  return flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? InnerChecksum::kGood
                                              : InnerChecksum::kUnknown;
}

// Reads the super-frame's headers and leaves their size in the mbuf. The frame
// stands for as many segments as there is room for; false when it is none.
bool TakeSegments(CollectedPackets& collected, size_t room, Frame& frame) {
  rte_mbuf* mbuf = frame.mbuf;
  const auto super = ReadSuperFrame(mbuf);
  if (!super) return false;
  mbuf->l4_len = static_cast<uint8_t>(super->header_size - super->ip_size);
  const size_t left = super->segments - size_t{collected.next_segment};
  frame.segment_size = super->segment_size;
  frame.first_segment = collected.next_segment;
  frame.packets = static_cast<uint16_t>(std::min(left, room));
  collected.next_segment =
      left > room ? static_cast<uint16_t>(frame.first_segment + room) : 0;
  return true;
}

// Moves one packet, or a super-frame as far as there is room, to the burst.
// Returns how many packets that makes.
size_t TakeOne(Worker& worker, size_t room, PacketBurst& packets) {
  CollectedPackets& collected = worker.collected;
  rte_mbuf* mbuf = collected.mbufs[collected.next];
  Frame frame;
  frame.mbuf = mbuf;
  frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  frame.length = mbuf->pkt_len;
  frame.checksum = ChecksumOf(mbuf);
  const bool whole = mbuf->nb_segs == 1;
  const bool super = whole && (mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  const bool usable = whole && (!super || TakeSegments(collected, room, frame));
  const bool more = collected.next_segment != 0;
  worker.counters.tunnel_rx_packets.Add(frame.packets);
  if (super && !more) worker.counters.tunnel_rx_super.Add(1);
  if (more) {
    rte_mbuf_refcnt_update(mbuf, 1);
  } else {
    ++collected.next;
  }
  if (usable) {
    packets.Push(frame);
  } else {
    // What needed more than one buffer is beyond any MTU we set.
    worker.Drop(frame,
                whole ? DropReason::kBadInner : DropReason::kInnerTooBig);
  }
  return frame.packets;
}

}  // namespace

void Collect(Worker& worker, PacketBurst& packets) {
  CollectedPackets& collected = worker.collected;
  size_t room = std::min(kMostPackets, PacketBurst::kCapacity - packets.size());
  bool more = true;
  while (room > 0) {
    if (collected.drained()) {
      if (!more) break;
      const size_t wanted = std::min(room, CollectedPackets::kCapacity);
      collected.next = 0;
      collected.count =
          worker.options.tunnel->Receive({collected.mbufs.data(), wanted});
      more = collected.count == wanted;
      if (collected.count == 0) break;
    }
    worker.worked = true;
    room -= TakeOne(worker, room, packets);
  }
}

}  // namespace lwt
