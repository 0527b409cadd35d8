#include "control/peer/peer_table.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "control/peer/session.h"

namespace lwt::peer {
namespace {

IpPrefix HostOf(const IpAddress& address) {
  return {address, static_cast<uint8_t>(address.size() * 8)};
}

}  // namespace

class PeerTable::Builder {
 public:
  Builder(size_t peers, uint32_t workers)
      : snapshot_(std::make_unique<Snapshot>()), workers_(workers) {
    snapshot_->peers.resize(peers);
  }

  void Route(const IpPrefix& prefix, uint32_t peer) {
    routes_.push_back({{prefix.Network(), prefix.length}, peer});
  }

  void Add(uint32_t index, const Entry& entry) {
    for (const IpPrefix& own : entry.addresses) {
      Route(HostOf(own.address), index);
    }
    for (const IpPrefix& network : entry.networks) Route(network, index);
    if (entry.session == nullptr) return;
    // Each worker sends on the newest of the session's lanes that it has.
    SnapshotPeer& peer = snapshot_->peers[index];
    peer.inner_mtu = entry.session->secrets().mtu;
    for (const SessionLane* lane : entry.session->SendingLanes()) {
      peer.SetLane(lane->worker(), LaneName::Index(lane->index));
    }
    for (const SessionLane& lane : entry.session->lanes()) {
      AddFlow(lane.local, lane.remote, lane.flow.worker());
    }
  }

  // With one worker nobody asks where a flow is.
  void AddFlow(const Endpoint& local, const Endpoint& remote, uint32_t worker) {
    if (workers_ > 1) flows_.push_back({FlowKey::Of(local, remote), worker});
  }

  size_t size() const {
    return snapshot_->peers.size() + routes_.size() + flows_.size();
  }

  std::unique_ptr<const Snapshot> Finish(uint64_t version, bool between_peers) {
    snapshot_->version = version;
    snapshot_->routes = RouteTable(routes_);
    snapshot_->flows = FlowDirectory(std::move(flows_));
    snapshot_->forward_between_peers = between_peers;
    return std::move(snapshot_);
  }

 private:
  std::unique_ptr<Snapshot> snapshot_;
  const uint32_t workers_;
  std::vector<FlowDirectory::Entry> flows_;
  std::vector<RouteTable::Route> routes_;
};

PeerTable::PeerTable(OrderedLink& link, PeerHost& host, LaneSlots& lanes,
                     uint32_t peers, uint32_t workers)
    : link_(link),
      host_(host),
      lanes_(lanes),
      most_(peers),
      workers_(workers) {}

std::optional<uint32_t> PeerTable::Add(Entry entry) {
  const auto room = [this] {
    return !free_.empty() || entries_.size() < most_;
  };
  if (!room() && !leaving_.empty()) PublishNow();
  if (!room()) return std::nullopt;
  if (free_.empty()) {
    free_.insert(static_cast<uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  const uint32_t peer = *free_.begin();
  free_.erase(free_.begin());
  entries_[peer] = std::move(entry);
  dirty_ = true;
  return peer;
}

void PeerTable::Remove(uint32_t peer) {
  if (peer >= entries_.size() || !entries_[peer]) return;
  entries_[peer].reset();
  leaving_.push_back(peer);
  dirty_ = true;
}

PeerTable::Entry& PeerTable::Change(uint32_t peer) {
  dirty_ = true;
  return *entries_[peer];
}

void PeerTable::Forget(const Session& session) {
  if (session.peer() >= entries_.size()) return;
  std::optional<Entry>& entry = entries_[session.peer()];
  if (!entry || entry->session != &session) return;
  entry->session = nullptr;
  dirty_ = true;
}

void PeerTable::SetOwn(std::vector<IpPrefix> addresses) {
  own_ = std::move(addresses);
  dirty_ = true;
}

void PeerTable::SetForwarding(bool between_peers) {
  between_peers_ = between_peers;
  dirty_ = true;
}

void PeerTable::AddFlow(const Endpoint& local, const Endpoint& remote,
                        uint32_t worker) {
  if (workers_ == 1) return;
  flows_.push_back({local, remote, worker});
  dirty_ = true;
}

void PeerTable::RemoveFlow(const Endpoint& local, const Endpoint& remote) {
  const auto is_it = [&](const Flow& flow) {
    return flow.local == local && flow.remote == remote;
  };
  if (std::erase_if(flows_, is_it) > 0) dirty_ = true;
}

bool PeerTable::HasLane(uint32_t worker) {
  if (lanes_.empty(worker) && !leaving_lanes_.empty()) PublishNow();
  return !lanes_.empty(worker);
}

std::optional<uint32_t> PeerTable::TakeLane(uint32_t worker) {
  return HasLane(worker) ? lanes_.Take(worker) : std::nullopt;
}

void PeerTable::GiveLane(uint32_t lane) {
  leaving_lanes_.push_back(lane);
  dirty_ = true;
}

void PeerTable::Hold(FlowId flow) {
  dirty_ = true;
  link_.Hold(flow);
}

void PeerTable::SendAfter(Command command) {
  if (dirty_) {
    link_.SendHeld(std::move(command));
  } else {
    link_.Send(std::move(command));
  }
}

void PeerTable::Publish(uint64_t now_us) {
  if (!dirty_ || now_us < next_us_) return;
  PublishNow();
  const uint64_t wait_us = size_ * kWaitNsEach / 1000;
  next_us_ =
      wait_us < kLeastWaitUs ? 0 : now_us + std::min(wait_us, kMostWaitUs);
}

void PeerTable::PublishNow() {
  // An address of ours is no peer's, whatever network it lies in.
  Builder builder(entries_.size(), workers_);
  Fill(builder);
  size_ = builder.size();
  TellDevice();
  dirty_ = false;
  link_.Publish(builder.Finish(++version_, between_peers_));
  Reuse();
}

void PeerTable::Fill(Builder& builder) const {
  for (uint32_t peer = 0; peer < entries_.size(); ++peer) {
    if (entries_[peer]) builder.Add(peer, *entries_[peer]);
  }
  for (const IpPrefix& own : own_) {
    builder.Route(HostOf(own.address), RouteTable::kNoPeer);
  }
  for (const Flow& flow : flows_) {
    builder.AddFlow(flow.local, flow.remote, flow.worker);
  }
}

// The device takes what all peers can, and where there is none, what it likes.
void PeerTable::TellDevice() {
  std::optional<uint16_t> mtu;
  bool any = false;
  for (const std::optional<Entry>& entry : entries_) {
    if (!entry) continue;
    any = true;
    if (entry->device_mtu == 0) continue;
    mtu = std::min(mtu.value_or(UINT16_MAX), entry->device_mtu);
  }
  if (!any) mtu = 0;
  if (!mtu) return;
  host_.SetInnerMtu(*mtu);
}

// No worker will begin to use these any more.
void PeerTable::Reuse() {
  for (const uint32_t peer : std::exchange(leaving_, {})) free_.insert(peer);
  for (const uint32_t lane : std::exchange(leaving_lanes_, {})) {
    lanes_.Give(lane);
  }
}

}  // namespace lwt::peer
