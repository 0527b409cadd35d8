// Reads the tunnel device and takes what other workers handed over.
#include <algorithm>

#include "dataplane/stages/collect_one.h"
#include "dataplane/stages/read_ahead.h"
#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

InnerChecksum ChecksumOf(const rte_mbuf* mbuf) {
  const uint64_t flags = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (flags == RTE_MBUF_F_RX_L4_CKSUM_NONE) return InnerChecksum::kUnfinished;
  return flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? InnerChecksum::kGood
                                              : InnerChecksum::kUnknown;
}

// Reads the super-frame's headers and leaves their size in the mbuf. The frame
// stands for as many segments as there is room for, but a chain always for all
// of its own; false when it is none.
bool TakeSegments(CollectedPackets& collected, size_t room, Frame& frame) {
  rte_mbuf* mbuf = frame.mbuf;
  const auto super = ReadSuperFrame(mbuf);
  if (!super) return false;
  if (mbuf->nb_segs > 1) {
    if (super->segments != mbuf->nb_segs) return false;
    room = super->segments;
  }
  mbuf->l4_len = static_cast<uint8_t>(super->header_size - super->ip_size);
  const size_t left = super->segments - size_t{collected.next_segment};
  frame.segment_size = super->segment_size;
  frame.first_segment = collected.next_segment;
  frame.packets = static_cast<uint16_t>(std::min(left, room));
  collected.next_segment =
      left > room ? static_cast<uint16_t>(frame.first_segment + room) : 0;
  frame.loses_last = collected.loses_last && collected.next_segment == 0;
  return true;
}

// A super-frame as far as there is room, or a packet in more than one buffer.
// Returns how many packets that makes.
size_t TakeLong(Worker& worker, CollectedPackets& collected,
                Counter& super_frames, size_t room, Frame& frame,
                PacketBurst& packets) {
  const bool super = (frame.mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  const bool usable = super && TakeSegments(collected, room, frame);
  if (collected.next_segment != 0) {
    rte_mbuf_refcnt_update(frame.mbuf, 1);
  } else {
    ++collected.next;
    super_frames.Add(usable ? 1 : 0);
  }
  if (usable) {
    packets.Push(frame);
  } else {
    // A packet that needed more than one buffer is beyond any MTU we set.
    worker.Drop(frame,
                super ? DropReason::kBadInner : DropReason::kInnerTooBig);
  }
  return frame.packets;
}

// Takes what other workers handed over; returns how many packets that makes.
// One of their frames may stand for as many as they read in a turn.
size_t TakeFromOthers(Worker& worker, size_t room, PacketBurst& packets) {
  size_t taken = 0;
  Frame frame;
  while (taken + kMostCollected <= room &&
         worker.options.handoff->Take(Handoff::Road::kPackets,
                                      worker.options.index, {&frame, 1}) > 0) {
    worker.worked = true;
    worker.counters.taken_over.Add(1);
    frame.handed_over = true;
    worker.ledger.Made();
    taken += packets.Push(frame).packets;
  }
  return taken;
}

// In line: a call a packet costs more than what is done here.
[[gnu::always_inline]] inline size_t Take(Worker& worker,
                                          CollectedPackets& collected,
                                          Counter& super_frames, size_t room,
                                          PacketBurst& packets) {
  rte_mbuf* mbuf = collected.mbufs[collected.next];
  worker.ledger.Made();
  Frame frame;
  frame.mbuf = mbuf;
  frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  frame.length = mbuf->pkt_len;
  frame.checksum = ChecksumOf(mbuf);
  const bool single =
      mbuf->nb_segs == 1 && (mbuf->ol_flags & RTE_MBUF_F_RX_LRO) == 0;
  if (!single) {
    return TakeLong(worker, collected, super_frames, room, frame, packets);
  }
  packets.Push(frame);
  ++collected.next;
  return 1;
}

// Few at once. Whether there may be more.
bool ReadDevice(Worker& worker, CollectedPackets& collected, size_t room) {
  const size_t wanted = std::min(room, CollectedPackets::kCapacity);
  collected.next = 0;
  collected.loses_last = false;
  collected.count =
      worker.options.tunnel->Receive({collected.mbufs.data(), wanted});
  return collected.count == wanted;
}

}  // namespace

size_t TakeOne(Worker& worker, CollectedPackets& collected,
               Counter& super_frames, size_t room, PacketBurst& packets) {
  return Take(worker, collected, super_frames, room, packets);
}

void Collect(Worker& worker, PacketBurst& packets) {
  const StageCheck check(worker.ledger, packets);
  CollectedPackets& collected = worker.outbound.collected;
  DeviceQueue& ahead = worker.outbound.device_queue;
  size_t room = PacketBurst::kCapacity - packets.size();
  if (worker.options.handoff != nullptr) {
    room -= TakeFromOthers(worker, std::min(room, 2 * kMostCollected), packets);
  }
  const size_t most =
      std::min(kMostCollected, room - std::min<size_t>(room, kMaxChain));
  if (!ahead.empty()) ReadAhead(worker);
  size_t taken = 0;
  bool more = true;
  while (taken < most) {
    if (!collected.drained()) {
      taken += Take(worker, collected, worker.counters.tunnel_rx_super,
                    most - taken, packets);
    } else if (!ahead.empty()) {
      TakeAhead(worker, collected);
    } else if (more) {
      more = ReadDevice(worker, collected, most - taken);
    } else {
      break;
    }
  }
  more = more || !collected.drained();
  const bool behind = ahead.IsBehind(more, worker.now_us);
  if (behind && ahead.empty()) ReadAhead(worker);
  if (taken == 0) return;
  if (more) worker.outbound.shares.SawMore();
  worker.worked = true;
  worker.counters.tunnel_rx_packets.Add(taken);
}

}  // namespace lwt
