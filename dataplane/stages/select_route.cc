// Finds the peer of each packet, and the lane or the worker that leads to it.
#include <bit>

#include "dataplane/stages/answers.h"
#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/mss_clamp.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// The n-th of the workers in a set.
WorkerIndex WorkerAt(uint32_t workers, uint32_t n) {
  while (n-- > 0) workers &= workers - 1;
  return {static_cast<uint32_t>(std::countr_zero(workers))};
}

// Hands the frame to a worker that has a lane to the carrier: the same for all
// packets of a flow, so that their order holds. What was handed over already
// goes no further.
void HandOn(Worker& worker, const Frame& frame, const SnapshotPeer& carrier,
            const wire::InnerPacket& inner) {
  if (frame.handed_over) return worker.Drop(frame, DropReason::kNoLane);
  const auto count = static_cast<uint32_t>(std::popcount(carrier.workers));
  const uint32_t hash = wire::FlowHash(inner, {frame.data, frame.length});
  worker.foreign.Push(frame, WorkerAt(carrier.workers, hash % count));
}

// Whether the worker has time for what goes to the frame's peer.
bool HasShare(Worker& worker, const Frame& frame) {
  WorkShares& shares = worker.outbound.shares;
  return !shares.counts() ||
         shares.Take(frame.peer,
                     frame.packets * WorkShares::kRecord + frame.length);
}

// A peer that is not there, or has no lane. Who sent what came from a peer was
// told by Forward.
[[gnu::cold]] bool GoesNowhere(Worker& worker, const Frame& frame,
                               bool from_inside, DropReason reason) {
  if (from_inside) {
    AnswerInside(worker, wire::Obstacle::kHostUnreachable, 0, frame);
  }
  worker.Drop(frame, reason);
  return false;
}

// A packet larger than the peer's MTU. True when it goes on, to be cut.
[[gnu::cold]] bool MayBeCut(Worker& worker, Frame& frame,
                            const SnapshotPeer& carrier, bool from_inside,
                            uint16_t mtu) {
  worker.WantLarger(carrier);
  if (!wire::MustNotFragment(frame.data)) {
    frame.to_cut = true;
    return true;
  }
  if (from_inside) AnswerInside(worker, wire::Obstacle::kTooBig, mtu, frame);
  worker.Drop(frame, DropReason::kInnerTooBig);
  return false;
}

[[gnu::cold]] void Clamp(Worker& worker, const Frame& frame, uint16_t mtu) {
  const bool unfinished = frame.checksum == InnerChecksum::kUnfinished;
  if (wire::ClampMss({frame.data, frame.length}, mtu, unfinished)) {
    worker.counters.mss_clamped.Add(1);
  }
}

bool RouteOne(Worker& worker, Frame& frame) {
  const std::span<const uint8_t> packet = {frame.data, frame.length};
  const auto inner = wire::ParseInner(packet);
  if (!inner) {
    worker.Drop(frame, DropReason::kBadInner);
    return false;
  }
  const bool from_inside = frame.peer == PeerIndex::kNone;
  // That of a copy was found by Flood.
  if (from_inside) {
    if (!wire::IsRoutable(inner->family, inner->destination)) {
      worker.Drop(frame, DropReason::kNotRoutable);
      return false;
    }
    frame.peer =
        worker.snapshot->routes.Lookup(inner->family, inner->destination);
  }
  const SnapshotPeer* carrier = worker.snapshot->CarrierOf(frame.peer);
  if (carrier == nullptr) {
    return GoesNowhere(worker, frame, from_inside, DropReason::kNoRoute);
  }
  if (carrier->workers == 0) {
    return GoesNowhere(worker, frame, from_inside, DropReason::kNoLane);
  }
  const uint16_t mtu = carrier->MtuFor(inner->family);
  if (LargestPacket(frame) > mtu &&
      !MayBeCut(worker, frame, *carrier, from_inside, mtu)) {
    return false;
  }
  if (wire::MayBeSyn(frame.data, frame.length)) Clamp(worker, frame, mtu);
  if (!HasShare(worker, frame)) {
    worker.Drop(frame, DropReason::kOverShare);
    return false;
  }
  const LaneIndex own = carrier->lanes[worker.options.index.value];
  if (own == LaneIndex::kNone) {
    HandOn(worker, frame, *carrier, *inner);
    return false;
  }
  frame.lane = own;
  const session::Lane* lane = worker.FindLane(frame.lane);
  if (lane == nullptr || !lane->up()) {
    worker.Drop(frame, DropReason::kNoLane);
    return false;
  }
  return true;
}

}  // namespace

void SelectRoute(Worker& worker, PacketBurst& packets) {
  const StageCheck check(worker.ledger, packets, worker.foreign);
  ++worker.outbound.round;
  size_t kept = 0;
  for (Frame& frame : packets.frames()) {
    if (RouteOne(worker, frame)) packets.Keep(kept++, frame);
  }
  packets.Truncate(kept);
}

}  // namespace lwt
