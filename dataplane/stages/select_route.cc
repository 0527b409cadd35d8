#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

const SnapshotPeer* FindPeer(const Worker& worker, uint32_t peer) {
  const auto& peers = worker.snapshot->peers;
  return peer < peers.size() ? &peers[peer] : nullptr;
}

bool RouteOne(Worker& worker, Frame& frame) {
  const std::span<const uint8_t> packet = {frame.data, frame.length};
  const auto inner = wire::ParseInner(packet);
  if (!inner) {
    worker.Drop(frame, DropReason::kBadInner);
    return false;
  }
  if (!wire::IsRoutable(inner->family, inner->destination)) {
    worker.Drop(frame, DropReason::kNotRoutable);
    return false;
  }
  if (frame.peer == RouteTable::kNoPeer) {
    frame.peer =
        worker.snapshot->routes.Lookup(inner->family, inner->destination);
  }
  const SnapshotPeer* peer = FindPeer(worker, frame.peer);
  if (peer == nullptr) {
    worker.Drop(frame, DropReason::kNoRoute);
    return false;
  }
  if (LargestPacket(frame) > peer->inner_mtu) {
    worker.Drop(frame, DropReason::kInnerTooBig);
    return false;
  }
  if (peer->lane_count == 0) {
    worker.Drop(frame, DropReason::kNoLane);
    return false;
  }
  // The same for all packets of a flow, so that their order holds.
  const uint32_t choice =
      peer->lane_count == 1 ? 0
                            : wire::FlowHash(*inner, packet) % peer->lane_count;
  frame.lane = peer->lanes[choice];
  const session::Lane* lane = worker.FindLane(frame.lane);
  if (lane == nullptr || !lane->up()) {
    worker.Drop(frame, DropReason::kNoLane);
    return false;
  }
  return true;
}

}  // namespace

void SelectRoute(Worker& worker, PacketBurst& packets) {
  ++worker.round;
  size_t kept = 0;
  for (Frame& frame : packets.frames()) {
    if (RouteOne(worker, frame)) packets.Keep(kept++, frame);
  }
  packets.Truncate(kept);
}

}  // namespace lwt
