// Cuts super-frames of the inside into packets with headers of their own.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "dataplane/stages/collect_one.h"
#include "dataplane/stages/cut_packets.h"
#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Buffers taken from the pool at once.
constexpr size_t kChunk = 64;

// A checksum that the shard word cannot tell of is computed here.
void FinishSegment(const wire::SuperFrame& super, Frame& packet) {
  wire::InnerTransport transport;
  transport.udp = super.udp;
  transport.ip_size = super.ip_size;
  wire::FinishChecksum({packet.data, packet.length}, transport);
  packet.checksum = InnerChecksum::kGood;
}

// A packet of the super-frame, except for its bytes.
Frame& PushSegment(const Frame& frame, PacketBurst& split) {
  Frame& packet = split.Push(frame);
  packet.packets = 1;
  packet.segment_size = 0;
  packet.first_segment = 0;
  packet.checksum = InnerChecksum::kUnfinished;
  return packet;
}

void SplitOne(Worker& worker, const Frame& frame, PacketBurst& split) {
  // Collect has found it to be one.
  const wire::SuperFrame super = *ReadSuperFrame(frame.mbuf);
  const wire::SegmentWriter writer(super);
  std::array<rte_mbuf*, kChunk> mbufs;
  for (size_t done = 0; done < frame.packets;) {
    const size_t count = std::min(kChunk, frame.packets - done);
    if (rte_pktmbuf_alloc_bulk(worker.options.pool, mbufs.data(),
                               static_cast<unsigned>(count)) != 0) {
      worker.counters.Drop(DropReason::kPoolEmpty, frame.packets - done);
      break;
    }
    for (size_t i = 0; i < count; ++i, ++done) {
      Frame& packet = PushSegment(frame, split);
      packet.mbuf = mbufs[i];
      packet.data = rte_pktmbuf_mtod(mbufs[i], uint8_t*);
      packet.length = static_cast<uint32_t>(
          writer.Write(frame.first_segment + done, packet.data));
      if (!super.plain) FinishSegment(super, packet);
    }
  }
  rte_pktmbuf_free(frame.mbuf);
}

// The payloads lie in buffers of their own already: each gets its headers.
void SplitChain(const Frame& frame, PacketBurst& split) {
  wire::SuperFrame super = *ReadSuperFrame(frame.mbuf);
  // The first segment's headers are written over those that are the model.
  std::array<uint8_t, kMaxChainHeaders> headers;
  std::memcpy(headers.data(), super.packet.data(), super.header_size);
  super.packet = {headers.data(), super.packet.size()};
  const wire::SegmentWriter writer(super);
  rte_mbuf* next = frame.mbuf;
  uint8_t* payload = frame.data + super.header_size;
  for (size_t i = 0; next != nullptr; ++i) {
    rte_mbuf* const mbuf = std::exchange(next, next->next);
    mbuf->next = nullptr;
    mbuf->nb_segs = 1;
    if (i > 0) payload = rte_pktmbuf_mtod(mbuf, uint8_t*);
    Frame& packet = PushSegment(frame, split);
    packet.mbuf = mbuf;
    packet.data = payload - super.header_size;
    packet.length = static_cast<uint32_t>(writer.WriteHeaders(i, packet.data));
    if (!super.plain) FinishSegment(super, packet);
  }
}

void SplitSuper(Worker& worker, const Frame& frame, PacketBurst& split) {
  const size_t before = split.size();
  if (frame.mbuf->nb_segs > 1) {
    SplitChain(frame, split);
  } else {
    SplitOne(worker, frame, split);
  }
  worker.ledger.Made(split.size() - before);
  worker.ledger.Gone();
  if (frame.loses_last && split.size() > before) [[unlikely]] {
    worker.Drop(split.frames().back(), DropReason::kQueueStands);
    split.Truncate(split.size() - 1);
  }
}

// For a frame of packets larger than the peer's MTU. The fragments of each take
// its place, in order.
void CutOne(Worker& worker, const Frame& frame, PacketBurst& packets,
            PacketBurst& split) {
  const SnapshotPeer* carrier = worker.snapshot->CarrierOf(frame.peer);
  // So many have to find room behind it.
  size_t behind = 0;
  const Frame* const end = packets.frames().data() + packets.size();
  for (const Frame* next = &frame + 1; next != end; ++next) {
    behind += next->packets;
  }
  const size_t before = split.size();
  if (frame.segment_size != 0) {
    SplitSuper(worker, frame, split);
  } else {
    split.Push(frame);
  }
  if (carrier == nullptr) return;
  std::array<Frame, kMostCollected> whole;
  const size_t count = split.size() - before;
  std::ranges::copy(split.frames().subspan(before), whole.begin());
  split.Truncate(before);
  for (size_t i = 0; i < count; ++i) {
    const size_t others = behind + count - i - 1;
    const size_t room = PacketBurst::kCapacity - split.size() - others;
    CutPacket(worker, whole[i], carrier->inner_mtu, room, split);
  }
}

}  // namespace

void Split(Worker& worker, PacketBurst& packets, PacketBurst& split) {
  split.Clear();
  const StageCheck check(worker.ledger, packets, split);
  const uint32_t room = rte_pktmbuf_data_room_size(worker.options.pool) -
                        uint32_t{RTE_PKTMBUF_HEADROOM};
  for (const Frame& frame : packets.frames()) {
    if (frame.segment_size != 0 && LargestPacket(frame) > room) {
      worker.Drop(frame, DropReason::kInnerTooBig);
    } else if (frame.to_cut) [[unlikely]] {
      CutOne(worker, frame, packets, split);
    } else if (frame.segment_size == 0) {
      split.Push(frame);
    } else {
      SplitSuper(worker, frame, split);
    }
  }
  packets.Clear();
}

}  // namespace lwt
