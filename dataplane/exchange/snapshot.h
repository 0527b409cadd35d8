// What every worker reads and only control writes: an immutable picture that
// is replaced as a whole (docs/architecture.md#publish-and-sleep).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/exchange/flow_directory.h"
#include "dataplane/flow/flow_id.h"
#include "dataplane/names.h"
#include "dataplane/route/route_table.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

// A session has at most as many lanes to send on.
inline constexpr uint32_t kMaxLanesPerPeer = kMaxWorkers;

// What each link of IPv6 takes (RFC 8200 §5), whatever the path does: no host
// goes below.
inline constexpr uint16_t kLeastIpv6Mtu = 1280;

// One session as the workers see it.
struct SnapshotPeer {
  // By worker: which of its own lanes it sends on.
  std::array<LaneIndex, kMaxWorkers> lanes;
  uint16_t workers = 0;  // a bit for each that has one
  static_assert(kMaxWorkers <= 16);
  // What one segment to the peer, and one from it, takes now. A larger record
  // leaves in parts.
  uint16_t inner_mtu = 0;
  // The peer through which this one is reached while it has no lane, and which
  // may bring its packets at any time: both ways at once, so that nothing is
  // lost where one takes over from the other.
  PeerIndex relay;
  // A session to a hub, by its pinned key: what names any other as its relay
  // is reached by nobody and vouched for by nobody.
  bool may_relay = false;
  // Sends nothing to another peer, and gets nothing of one.
  bool isolated = false;

  // Above which senders are told, and packets cut.
  uint16_t MtuFor(Family family) const {
    return family == Family::kIpv4 ? inner_mtu
                                   : std::max(inner_mtu, kLeastIpv6Mtu);
  }
  void SetLane(WorkerIndex worker, LaneIndex lane) {
    lanes[worker.value] = lane;
    workers = static_cast<uint16_t>(workers | 1u << worker.value);
  }
};

struct Snapshot {
  uint64_t version = 0;
  // Which peer an inner address belongs to. It routes what leaves and vouches
  // for what enters: a packet of a peer enters only if its source leads back
  // to that peer, or to one whose relay it is.
  RouteTable routes;
  std::vector<SnapshotPeer> peers;
  // Which worker has an outer flow; empty where there is one worker.
  FlowDirectory flows;
  // Inner packets of one peer may go to another (hub).
  bool forward_between_peers = false;
  // The last IPv4 address of each network of ours.
  std::vector<std::array<uint8_t, 4>> broadcasts;
  // Our tunnel addresses, each with its network.
  std::vector<IpPrefix> own_addresses;

  // The one that errors are sent from; null where there is none of the family.
  const IpAddress* Own(Family family) const;
  // Whether it is the broadcast address of a network of ours, about which
  // nobody is told anything (RFC 1122 §3.2.2).
  bool IsBroadcast(Family family, const uint8_t* address) const;

  // Whose lanes take what is for `peer`: its own or, while it has none, those
  // of its relay, of whose own relay nobody asks. Null where there is no such
  // peer.
  const SnapshotPeer* CarrierOf(PeerIndex peer) const {
    if (peer.value >= peers.size()) return nullptr;
    const SnapshotPeer& own = peers[peer.value];
    if (own.workers != 0 || !IsRelay(own.relay)) return &own;
    return &peers[own.relay.value];
  }
  bool IsIsolated(PeerIndex peer) const {
    return peer.value < peers.size() && peers[peer.value].isolated;
  }
  // Whether `from` may bring packets whose source leads to `peer`.
  bool MayBring(PeerIndex from, PeerIndex peer) const {
    if (peer == from) return peer != PeerIndex::kNone;
    return peer.value < peers.size() && peers[peer.value].relay == from &&
           IsRelay(from);
  }

 private:
  bool IsRelay(PeerIndex peer) const {
    return peer.value < peers.size() && peers[peer.value].may_relay;
  }
};

}  // namespace lwt
