// What every worker reads and only control writes: an immutable picture that
// is replaced as a whole (docs/architecture.md#publish-and-sleep).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/route/route_table.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

inline constexpr uint32_t kMaxLanesPerPeer = 16;

// One session as a worker sees it.
struct SnapshotPeer {
  std::array<uint32_t, kMaxLanesPerPeer> lanes{};  // lane indices
  uint8_t lane_count = 0;
  uint16_t inner_mtu = 0;
};

struct Snapshot {
  uint64_t version = 0;
  // Which peer an inner address belongs to. It routes what leaves and vouches
  // for what enters: a packet of a peer enters only if its source leads back
  // to that peer.
  RouteTable routes;
  std::vector<SnapshotPeer> peers;
  // Inner packets of one peer may go to another (hub).
  bool forward_between_peers = false;
};

}  // namespace lwt
