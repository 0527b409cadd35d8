// Reads the tunnel device further than a turn takes, into queues of flows.
#include "dataplane/stages/read_ahead.h"

#include <array>
#include <span>

#include "dataplane/stages/super_frames.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

using session::FlowQueues;

// What comes faster than twice what is sealed, for long, is the kernel's to
// drop: that costs less than reading it.
constexpr uint32_t kMostBuffersRead = 512;
constexpr size_t kReadAtOnce = 8;

bool IsSuper(const rte_mbuf* mbuf) {
  return (mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
}

// Of a chain only the headers are looked at, which its first buffer has.
std::span<uint8_t> PacketOf(rte_mbuf* mbuf) {
  return {rte_pktmbuf_mtod(mbuf, uint8_t*), mbuf->pkt_len};
}

void Lose(Worker& worker, rte_mbuf* mbuf, DropReason reason) {
  Frame frame;
  frame.mbuf = mbuf;
  const auto super = IsSuper(mbuf) ? ReadSuperFrame(mbuf) : std::nullopt;
  if (super) {
    frame.segment_size = super->segment_size;
    frame.packets = super->segments;
  }
  worker.ledger.Made();
  worker.Drop(frame, reason);
}

void Keep(Worker& worker, rte_mbuf* mbuf) {
  DeviceQueue& queue = worker.outbound.device_queue;
  while (!queue.empty() && !queue.HasRoom(mbuf)) {
    Lose(worker, queue.TakeOfLargest(), DropReason::kSendQueueFull);
  }
  const std::span<uint8_t> packet = PacketOf(mbuf);
  const auto inner = wire::ParseInner(packet);
  queue.Push(mbuf, inner ? wire::FlowHash(*inner, packet) : 0, worker.now_us);
}

}  // namespace

void ReadAhead(Worker& worker) {
  std::array<rte_mbuf*, kReadAtOnce> mbufs;
  for (uint32_t read = 0; read < kMostBuffersRead;) {
    const uint16_t count = worker.options.tunnel->Receive(mbufs);
    for (uint16_t i = 0; i < count; ++i) {
      read += DeviceQueue::CostOf(mbufs[i]);
      Keep(worker, mbufs[i]);
    }
    if (count < mbufs.size()) return;
  }
}

bool TakeAhead(Worker& worker, CollectedPackets& collected) {
  const auto taken = worker.outbound.device_queue.Take(worker.now_us);
  if (!taken) return false;
  rte_mbuf* const mbuf = taken->waiting.shard;
  collected.loses_last = false;
  if (taken->verdict == FlowQueues::Verdict::kTooLate) {
    Lose(worker, mbuf, DropReason::kWaitedTooLong);
    return false;
  }
  if (taken->verdict == FlowQueues::Verdict::kTell) {
    const std::span<uint8_t> packet = PacketOf(mbuf);
    if (wire::ParseInner(packet) && wire::MarkCongestion(packet.data())) {
      worker.counters.packets_marked.Add(1);
    } else if (IsSuper(mbuf)) {
      collected.loses_last = true;  // of its packets; the others go on
    } else {
      Lose(worker, mbuf, DropReason::kQueueStands);
      return false;
    }
  }
  collected.mbufs[0] = mbuf;
  collected.next = 0;
  collected.count = 1;
  return true;
}

}  // namespace lwt
