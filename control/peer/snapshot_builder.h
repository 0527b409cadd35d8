// Puts together what workers are to see. Control thread.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "control/peer/session.h"
#include "dataplane/exchange/snapshot.h"

namespace lwt::peer {

class SnapshotBuilder {
 public:
  // With one worker nobody asks where a flow is.
  SnapshotBuilder(uint32_t peers, uint32_t workers)
      : snapshot_(std::make_unique<Snapshot>()), workers_(workers) {
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

  // Each worker sends on the newest of the session's lanes that it has.
  void Peer(const Session& session) {
    SnapshotPeer& peer = snapshot_->peers[session.peer()];
    peer.inner_mtu = session.secrets().mtu;
    for (const SessionLane* lane : session.SendingLanes()) {
      peer.SetLane(lane->worker(), LaneName::Index(lane->index));
    }
    for (const SessionLane& lane : session.lanes()) {
      Flow(lane.local, lane.remote, lane.flow.worker());
    }
  }

  // A flow of `worker` that may bring frames to others.
  void Flow(const Endpoint& local, const Endpoint& remote, uint32_t worker) {
    if (workers_ > 1) flows_.push_back({FlowKey::Of(local, remote), worker});
  }

  std::unique_ptr<const Snapshot> Build(uint64_t version,
                                        bool forward_between_peers) {
    snapshot_->version = version;
    snapshot_->routes = RouteTable(routes_);
    snapshot_->flows = FlowDirectory(std::move(flows_));
    snapshot_->forward_between_peers = forward_between_peers;
    return std::move(snapshot_);
  }

 private:
  static IpPrefix HostPrefix(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address.size() * 8)};
  }

  std::unique_ptr<Snapshot> snapshot_;
  const uint32_t workers_;
  std::vector<FlowDirectory::Entry> flows_;
  std::vector<RouteTable::Route> routes_;
};

}  // namespace lwt::peer
