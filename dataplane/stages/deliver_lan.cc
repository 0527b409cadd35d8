// Sends packets for hosts of the LAN to its port, as a router does.
#include "dataplane/stages/answers.h"
#include "dataplane/stages/coalesce.h"
#include "dataplane/stages/inside_batch.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// What a router looks at before it sends a packet on. False when that ends
// here, with the frame dropped.
bool MayPass(Worker& worker, const LanTable& lan, const Frame& packet) {
  if (wire::HopsLeft(packet.data) <= 1) {
    AnswerPeer(worker, wire::Obstacle::kTimeExceeded, 0, packet);
    worker.Drop(packet, DropReason::kTtlExpired);
    return false;
  }
  if (packet.length > lan.mtu()) {
    if (wire::MustNotFragment(packet.data)) {
      AnswerPeer(worker, wire::Obstacle::kTooBig, lan.mtu(), packet);
    }
    worker.Drop(packet, DropReason::kInnerTooBig);
    return false;
  }
  return true;
}

void DeliverAll(Worker& worker, const LanTable& lan, PacketBurst& packets) {
  const StageCheck check(worker.ledger, packets, worker.outbound.packets);
  InsideBatch batch(worker, *worker.options.lan, &lan);
  Coalescer coalescer(worker, batch);
  const bool merge = worker.options.lan->info().segments;
  size_t kept = 0;
  for (const Frame& packet : packets.frames()) {
    const auto inner = wire::ParseInner({packet.data, packet.length});
    switch (lan.Find(inner->family, inner->destination).place) {
      case LanTable::Place::kElsewhere:
      case LanTable::Place::kKernel:
        packets.Keep(kept++, packet);
        break;
      case LanTable::Place::kUnresolved:
        AskForNeighbour(worker, inner->family, inner->destination);
        worker.Drop(packet, DropReason::kNoNeighbour);
        break;
      case LanTable::Place::kNeighbour:
        if (!MayPass(worker, lan, packet)) break;
        worker.ledger.Gone();
        if (merge) {
          coalescer.Push(packet);
        } else {
          batch.Push(packet);
        }
        break;
    }
  }
  packets.Truncate(kept);
}

}  // namespace

void DeliverLan(Worker& worker, PacketBurst& packets) {
  if (worker.lan == nullptr) return;
  const LanTable* lan = worker.mailbox->lan();
  if (lan != nullptr) DeliverAll(worker, *lan, packets);
}

}  // namespace lwt
