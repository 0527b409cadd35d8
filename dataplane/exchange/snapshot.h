// What every worker reads and only control writes: an immutable picture that
// is replaced as a whole (docs/architecture.md#publish-and-sleep).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/exchange/flow_directory.h"
#include "dataplane/route/route_table.h"
#include "dataplane/session/flow_id.h"

namespace lwt {

// A session has at most as many lanes to send on.
inline constexpr uint32_t kMaxLanesPerPeer = kMaxWorkers;

// One session as the workers see it.
struct SnapshotPeer {
  static constexpr uint32_t kNoLane = 0xffffffff;

  // By worker: which of its own lanes it sends on.
  std::array<uint32_t, kMaxWorkers> lanes;
  uint16_t workers = 0;  // a bit for each that has one
  uint16_t inner_mtu = 0;

  SnapshotPeer() { lanes.fill(kNoLane); }
  void SetLane(uint32_t worker, uint32_t lane) {
    lanes[worker] = lane;
    workers = static_cast<uint16_t>(workers | 1u << worker);
  }
};

struct Snapshot {
  uint64_t version = 0;
  // Which peer an inner address belongs to. It routes what leaves and vouches
  // for what enters: a packet of a peer enters only if its source leads back
  // to that peer.
  RouteTable routes;
  std::vector<SnapshotPeer> peers;
  // Which worker has an outer flow; empty where there is one worker.
  FlowDirectory flows;
  // Inner packets of one peer may go to another (hub).
  bool forward_between_peers = false;
};

}  // namespace lwt
