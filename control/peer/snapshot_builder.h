// Puts together what workers are to see. Control thread.
#pragma once

#include <memory>
#include <vector>

#include "control/peer/session.h"
#include "dataplane/exchange/snapshot.h"

namespace lwt::peer {

class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(uint32_t peers)
      : snapshot_(std::make_unique<Snapshot>()) {
    snapshot_->peers.resize(peers);
  }

  // The whole network of `prefix` is reached through a peer.
  void Route(const IpPrefix& prefix, uint32_t peer) {
    routes_.push_back({{prefix.Network(), prefix.length}, peer});
  }
  void RouteHost(const IpAddress& address, uint32_t peer) {
    routes_.push_back({HostPrefix(address), peer});
  }
  // An address that is no peer's: ours.
  void RefuseHost(const IpAddress& address) {
    RouteHost(address, RouteTable::kNoPeer);
  }

  // The session's peer sends on the session's newest lane.
  void Peer(const Session& session) {
    SnapshotPeer& peer = snapshot_->peers[session.peer()];
    peer.inner_mtu = session.secrets().mtu;
    if (const SessionLane* lane = session.sending_lane()) {
      peer.lanes[0] = lane->index;
      peer.lane_count = 1;
    }
  }

  std::unique_ptr<const Snapshot> Build(uint64_t version,
                                        bool forward_between_peers) {
    snapshot_->version = version;
    snapshot_->routes = RouteTable(routes_);
    snapshot_->forward_between_peers = forward_between_peers;
    return std::move(snapshot_);
  }

 private:
  static IpPrefix HostPrefix(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address.size() * 8)};
  }

  std::unique_ptr<Snapshot> snapshot_;
  std::vector<RouteTable::Route> routes_;
};

}  // namespace lwt::peer
