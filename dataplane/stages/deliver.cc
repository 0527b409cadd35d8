#include <rte_memcpy.h>

#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

constexpr size_t kBatch = 64;

// The packet as an mbuf of its own: the received one where nothing else lives
// in it, else a copy. Takes the frame's reference.
rte_mbuf* AsMbuf(Worker& worker, const Frame& packet) {
  rte_mbuf* mbuf = packet.mbuf;
  if (rte_mbuf_refcnt_read(mbuf) == 1) {
    mbuf->data_off = static_cast<uint16_t>(
        packet.data - static_cast<uint8_t*>(mbuf->buf_addr));
    mbuf->data_len = static_cast<uint16_t>(packet.length);
    mbuf->pkt_len = packet.length;
    mbuf->ol_flags = 0;
    return mbuf;
  }
  rte_mbuf* copy = rte_pktmbuf_alloc(worker.options.pool);
  char* room =
      copy == nullptr
          ? nullptr
          : rte_pktmbuf_append(copy, static_cast<uint16_t>(packet.length));
  if (room == nullptr) {
    rte_pktmbuf_free(copy);
    worker.Drop(packet, DropReason::kPoolEmpty);
    return nullptr;
  }
  rte_memcpy(room, packet.data, packet.length);
  rte_pktmbuf_free(mbuf);
  return copy;
}

void TransmitInside(Worker& worker, std::span<rte_mbuf*> mbufs) {
  const uint16_t taken = worker.options.tunnel->Transmit(mbufs);
  worker.counters.tunnel_tx_packets.Add(taken);
  const auto left = mbufs.subspan(taken);
  if (left.empty()) return;
  worker.counters.Drop(DropReason::kTunnelFull, left.size());
  rte_pktmbuf_free_bulk(left.data(), static_cast<unsigned>(left.size()));
}

}  // namespace

void Deliver(Worker& worker, PacketBurst& packets) {
  std::array<rte_mbuf*, kBatch> batch;
  size_t filled = 0;
  for (const Frame& packet : packets.frames()) {
    rte_mbuf* mbuf = AsMbuf(worker, packet);
    if (mbuf == nullptr) continue;
    batch[filled++] = mbuf;
    if (filled == kBatch) {
      TransmitInside(worker, batch);
      filled = 0;
    }
  }
  if (filled > 0) TransmitInside(worker, {batch.data(), filled});
  packets.Clear();
}

}  // namespace lwt
