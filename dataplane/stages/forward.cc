// Moves packets of one peer for another to the outbound burst.
#include "dataplane/stages/answers.h"
#include "dataplane/stages/flood.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Tells who sent it that the packet goes no further.
void TurnBack(Worker& worker, const Frame& packet, wire::Obstacle obstacle,
              uint16_t mtu, DropReason reason) {
  AnswerPeer(worker, obstacle, mtu, packet);
  worker.Drop(packet, reason);
}

// Whether the peer takes the packet; else that ends here. Who is kept from all
// others is not told which of them is there.
bool MayGo(Worker& worker, const Frame& packet, Family family, PeerIndex peer) {
  const Snapshot& snapshot = *worker.snapshot;
  if (snapshot.IsIsolated(packet.peer) || snapshot.IsIsolated(peer)) {
    TurnBack(worker, packet, wire::Obstacle::kProhibited, 0,
             DropReason::kIsolated);
    return false;
  }
  const SnapshotPeer* carrier = worker.snapshot->CarrierOf(peer);
  if (carrier == nullptr || carrier->workers == 0) {
    TurnBack(worker, packet, wire::Obstacle::kHostUnreachable, 0,
             carrier == nullptr ? DropReason::kNoRoute : DropReason::kNoLane);
    return false;
  }
  const uint16_t mtu = carrier->MtuFor(family);
  if (packet.length <= mtu || !wire::MustNotFragment(packet.data)) return true;
  worker.WantLarger(*carrier);
  TurnBack(worker, packet, wire::Obstacle::kTooBig, mtu,
           DropReason::kInnerTooBig);
  return false;
}

// The opened record stays as it is: its plaintext may still be needed for
// repair, so what goes to another peer is sealed in a buffer of its own.
void ForwardPacket(Worker& worker, const Frame& packet, PeerIndex to_peer) {
  if (worker.outbound.packets.full()) {
    return worker.Drop(packet, DropReason::kUplinkFull);
  }
  rte_mbuf* copy = rte_pktmbuf_alloc(worker.options.pool);
  if (copy == nullptr) return worker.Drop(packet, DropReason::kPoolEmpty);
  char* room = rte_pktmbuf_append(copy, static_cast<uint16_t>(packet.length));
  if (room == nullptr) {
    rte_pktmbuf_free(copy);
    return worker.Drop(packet, DropReason::kInnerTooBig);
  }
  rte_memcpy(room, packet.data, packet.length);
  Frame out;
  out.mbuf = copy;
  out.data = reinterpret_cast<uint8_t*>(room);
  out.length = packet.length;
  out.peer = to_peer;
  out.checksum = packet.checksum;
  worker.outbound.packets.Push(out);
  worker.counters.forwarded_packets.Add(1);
  // It is the sender that makes this work.
  worker.shares.Charge(packet.peer, WorkShares::kRecord + packet.length);
  rte_pktmbuf_free(packet.mbuf);
}

}  // namespace

void Forward(Worker& worker, PacketBurst& packets) {
  if (!worker.snapshot->forward_between_peers) return;
  const StageCheck check(worker.ledger, packets, worker.outbound.packets);
  const bool floods = worker.outbound.floods.enabled();
  size_t kept = 0;
  for (const Frame& packet : packets.frames()) {
    const auto inner = wire::ParseInner({packet.data, packet.length});
    if (floods && IsForMany(worker, *inner, {packet.data, packet.length})) {
      if (!worker.snapshot->IsIsolated(packet.peer)) {
        CopyToAll(worker, packet, packet.peer);
      }
      packets.Keep(kept++, packet);
      continue;
    }
    const PeerIndex peer =
        worker.snapshot->routes.Lookup(inner->family, inner->destination);
    if (peer == PeerIndex::kNone ||
        (peer == RouteTable::kAbsent &&
         worker.snapshot->IsBroadcast(inner->family, inner->destination))) {
      packets.Keep(kept++, packet);
    } else if (peer == packet.peer) {
      TurnBack(worker, packet, wire::Obstacle::kHostUnreachable, 0,
               DropReason::kNoRoute);
    } else if (MayGo(worker, packet, inner->family, peer)) {
      ForwardPacket(worker, packet, peer);
    }
  }
  packets.Truncate(kept);
}

}  // namespace lwt
