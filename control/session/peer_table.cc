#include "control/session/peer_table.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "control/host/net/address_order.h"
#include "control/session/session.h"

namespace lwt::peer {
namespace {

static_assert(handshake::kLeastInnerMtu < kLeastIpv6Mtu);

IpPrefix HostOf(const IpAddress& address) {
  return {address, static_cast<uint8_t>(address.size() * 8)};
}

// The last address of an IPv4 network that has one to itself (RFC 3021 §2.1).
std::optional<std::array<uint8_t, 4>> BroadcastOf(const IpPrefix& own) {
  if (own.address.family != Family::kIpv4 || own.length > 30) {
    return std::nullopt;
  }
  std::array<uint8_t, 4> broadcast;
  for (size_t i = 0; i < broadcast.size(); ++i) {
    const int bits = std::clamp(
        static_cast<int>(own.length) - 8 * static_cast<int>(i), 0, 8);
    broadcast[i] = static_cast<uint8_t>(own.address.bytes[i] | 0xff >> bits);
  }
  return broadcast;
}

}  // namespace

void PeerTable::Make(PeerIndex peer, Slot& slot) const {
  const Entry& entry = slot.entry;
  slot.made = true;
  slot.peer = SnapshotPeer();
  slot.peer.relay = entry.relay;
  slot.peer.may_relay = entry.may_relay;
  slot.peer.isolated = entry.isolated;
  slot.routes.clear();
  for (const IpPrefix& own : entry.addresses) {
    slot.routes.push_back({HostOf(own.address), peer});
  }
  for (const IpPrefix& network : entry.networks) {
    slot.routes.push_back({{network.Network(), network.length}, peer});
  }
  slot.flows.clear();
  if (entry.session == nullptr) return;
  // Each worker sends on the newest of the session's lanes that it has.
  slot.peer.inner_mtu = entry.session->inner_mtu();
  for (const SessionLane* lane : entry.session->SendingLanes()) {
    slot.peer.SetLane(lane->name.worker, lane->name.index);
  }
  // With one worker nobody asks where a flow is.
  if (workers_ == 1) return;
  for (const SessionLane& lane : entry.session->lanes()) {
    slot.flows.push_back(
        {FlowKey::Of(lane.local, lane.remote), lane.flow.worker()});
  }
}

PeerTable::PeerTable(OrderedLink& link, PeerHost& host, LaneSlots& lanes,
                     uint32_t peers, uint32_t workers)
    : link_(link),
      host_(host),
      lanes_(lanes),
      most_(peers),
      workers_(workers) {}

std::optional<PeerIndex> PeerTable::Add(Entry entry) {
  const auto room = [this] {
    return !free_.empty() || entries_.size() < most_;
  };
  if (!room() && !leaving_.empty()) PublishNow();
  if (!room()) return std::nullopt;
  if (free_.empty()) {
    free_.insert({static_cast<uint32_t>(entries_.size())});
    entries_.emplace_back();
  }
  const PeerIndex peer = *free_.begin();
  free_.erase(free_.begin());
  if (!entry.networks.empty()) networks_changed_ = true;
  entries_[peer.value].emplace(Slot{.entry = std::move(entry)});
  dirty_ = true;
  return peer;
}

void PeerTable::Remove(PeerIndex peer) {
  if (!Has(peer)) return;
  if (!Of(peer).networks.empty()) networks_changed_ = true;
  entries_[peer.value].reset();
  leaving_.push_back(peer);
  dirty_ = true;
}

PeerTable::Entry& PeerTable::Change(PeerIndex peer) {
  dirty_ = true;
  entries_[peer.value]->made = false;
  return entries_[peer.value]->entry;
}

void PeerTable::Forget(const Session& session) {
  if (!Has(session.peer()) || Of(session.peer()).session != &session) return;
  Change(session.peer()).session = nullptr;
}

void PeerTable::SetNetworks(PeerIndex peer, std::vector<IpPrefix> networks) {
  if (Of(peer).networks == networks) return;
  Change(peer).networks = std::move(networks);
  networks_changed_ = true;
}

void PeerTable::SetOwn(std::vector<IpPrefix> addresses) {
  own_ = std::move(addresses);
  networks_changed_ = true;
  dirty_ = true;
}

void PeerTable::SetForwarding(bool between_peers) {
  between_peers_ = between_peers;
  dirty_ = true;
}

void PeerTable::SetPeerNetworks(std::vector<IpPrefix> networks) {
  if (networks == peer_networks_) return;
  peer_networks_ = std::move(networks);
  networks_changed_ = true;
  dirty_ = true;
}

void PeerTable::SetBeside(std::vector<IpPrefix> networks) {
  if (networks == beside_) return;
  beside_ = std::move(networks);
  dirty_ = true;
}

void PeerTable::AddFlow(const Endpoint& local, const Endpoint& remote,
                        WorkerIndex worker) {
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

bool PeerTable::HasLane(WorkerIndex worker) {
  if (lanes_.empty(worker) && !leaving_lanes_.empty()) PublishNow();
  return !lanes_.empty(worker);
}

std::optional<LaneName> PeerTable::TakeLane(WorkerIndex worker) {
  return HasLane(worker) ? lanes_.Take(worker) : std::nullopt;
}

void PeerTable::GiveLane(LaneName lane) {
  leaving_lanes_.push_back(lane);
  dirty_ = true;
}

void PeerTable::Hold(FlowId flow) {
  dirty_ = true;
  link_.Hold(flow);
}

void PeerTable::SendAfter(WorkerIndex worker, Command command) {
  if (dirty_) {
    link_.SendHeld(worker, std::move(command));
  } else {
    link_.Send(worker, std::move(command));
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
  std::unique_ptr<Snapshot> snapshot = Build();
  size_ =
      snapshot->peers.size() + snapshot->routes.size() + snapshot->flows.size();
  TellDevice();
  dirty_ = false;
  link_.Publish(std::move(snapshot));
  if (std::exchange(networks_changed_, false)) TellNetworks();
  Reuse();
}

std::unique_ptr<Snapshot> PeerTable::Build() {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->version = ++version_;
  connected_ = 0;
  snapshot->forward_between_peers = between_peers_;
  for (const IpPrefix& own : own_) {
    if (const auto broadcast = BroadcastOf(own)) {
      snapshot->broadcasts.push_back(*broadcast);
    }
  }
  snapshot->peers.reserve(entries_.size());
  snapshot->own_addresses = own_;
  std::vector<RouteTable::Route> routes;
  std::vector<FlowDirectory::Entry> flows;
  // First, so that a peer that is there has what is its own.
  for (const IpPrefix& network : beside_) {
    routes.push_back({{network.Network(), network.length}, PeerIndex::kNone});
  }
  for (const IpPrefix& network : peer_networks_) {
    routes.push_back(
        {{network.Network(), network.length}, RouteTable::kAbsent});
  }
  for (uint32_t peer = 0; peer < entries_.size(); ++peer) {
    if (!entries_[peer]) {
      snapshot->peers.emplace_back();
      continue;
    }
    Slot& slot = *entries_[peer];
    if (slot.entry.session != nullptr) ++connected_;
    // Before the number of one that is gone can be another's.
    PeerIndex& relay = slot.entry.relay;
    if (relay != PeerIndex::kNone && !Has(relay)) {
      relay = PeerIndex::kNone;
      slot.made = false;
    }
    if (!slot.made) Make({peer}, slot);
    snapshot->peers.push_back(slot.peer);
    routes.insert(routes.end(), slot.routes.begin(), slot.routes.end());
    flows.insert(flows.end(), slot.flows.begin(), slot.flows.end());
  }
  // An address of ours is no peer's, whatever network it lies in.
  for (const IpPrefix& own : own_) {
    routes.push_back({HostOf(own.address), PeerIndex::kNone});
  }
  for (const Flow& flow : flows_) {
    flows.push_back({FlowKey::Of(flow.local, flow.remote), flow.worker});
  }
  snapshot->routes = RouteTable(routes);
  snapshot->flows = FlowDirectory(std::move(flows));
  return snapshot;
}

// The device takes what all peers can, and where there is none, what it likes.
void PeerTable::TellDevice() {
  std::optional<uint16_t> mtu;
  bool any = false;
  for (const std::optional<Slot>& slot : entries_) {
    if (!slot) continue;
    any = true;
    const Entry& entry = slot->entry;
    uint16_t own = entry.device_mtu;
    if (entry.device_follows && entry.session != nullptr) {
      own = std::min(own, entry.session->inner_mtu());
    }
    if (own != 0) mtu = std::min(mtu.value_or(UINT16_MAX), own);
  }
  if (!any) mtu = 0;
  if (!mtu) return;
  host_.SetInnerMtu(*mtu);
}

// After the workers know them: what the kernel gives us then finds its way.
void PeerTable::TellNetworks() {
  std::set<IpPrefix, host::PrefixOrder> all;
  const auto add = [&](const std::vector<IpPrefix>& networks) {
    for (const IpPrefix& each : networks) {
      all.insert({each.Network(), each.length});
    }
  };
  add(peer_networks_);
  for (const std::optional<Slot>& slot : entries_) {
    if (slot) add(slot->entry.networks);
  }
  for (const IpPrefix& own : own_) all.erase({own.Network(), own.length});
  std::vector<IpPrefix> networks(all.begin(), all.end());
  if (networks == told_networks_) return;
  told_networks_ = std::move(networks);
  host_.SetNetworks(told_networks_);
}

// No worker will begin to use these any more.
void PeerTable::Reuse() {
  for (const PeerIndex peer : std::exchange(leaving_, {})) free_.insert(peer);
  for (const LaneName lane : std::exchange(leaving_lanes_, {})) {
    lanes_.Give(lane);
  }
}

}  // namespace lwt::peer
