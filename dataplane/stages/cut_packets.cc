// Cuts an IPv4 packet that is larger than its peer takes into fragments.
#include "dataplane/stages/cut_packets.h"

#include <array>

#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Of the largest packet there is, at the least MTU.
constexpr size_t kMostPieces = 8;

// No piece has a checksum of its own that the shard word could tell of.
void FinishWhole(const Frame& packet) {
  if (packet.checksum != InnerChecksum::kUnfinished) return;
  const std::span<uint8_t> bytes = {packet.data, packet.length};
  if (const auto transport = wire::ParseInnerTransport(bytes)) {
    wire::FinishChecksum(bytes, *transport);
  }
}

}  // namespace

void CutPacket(Worker& worker, const Frame& packet, uint16_t mtu, size_t room,
               PacketBurst& out) {
  if (packet.length <= mtu) {
    out.Push(packet);
    return;
  }
  const wire::Fragments fragments({packet.data, packet.length}, mtu);
  const size_t count = fragments.count();
  std::array<rte_mbuf*, kMostPieces> mbufs;
  if (count == 0 || count > std::min(room, mbufs.size())) {
    out.Push(packet);
    return;
  }
  if (rte_pktmbuf_alloc_bulk(worker.options.pool, mbufs.data(),
                             static_cast<unsigned>(count)) != 0) {
    return worker.Drop(packet, DropReason::kPoolEmpty);
  }
  FinishWhole(packet);
  for (size_t i = 0; i < count; ++i) {
    Frame piece = packet;
    piece.mbuf = mbufs[i];
    piece.data = rte_pktmbuf_mtod(mbufs[i], uint8_t*);
    piece.length = static_cast<uint32_t>(fragments.Write(i, piece.data));
    piece.checksum = InnerChecksum::kUnknown;
    piece.to_cut = false;
    mbufs[i]->data_len = static_cast<uint16_t>(piece.length);
    mbufs[i]->pkt_len = piece.length;
    out.Push(piece);
  }
  worker.counters.packets_cut.Add(1);
  worker.ledger.Made(count);
  worker.ledger.Gone();
  rte_pktmbuf_free(packet.mbuf);
}

}  // namespace lwt
