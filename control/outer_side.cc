#include "control/outer_side.h"

#include <sodium.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/config/networks.h"
#include "control/host/net/overlap.h"

namespace lwt {
namespace {

using config::Concat;
using loop::Cause;

// What Linux takes for outgoing connections (ip_local_port_range).
constexpr uint32_t kFirstPort = 32768;
constexpr uint32_t kPorts = 60999 - kFirstPort + 1;

// A port at random that meets the wish. One that cannot be met here and at the
// hub is met here.
absl::StatusOr<host::PortReservation> HoldPort(const IpAddress& source,
                                               uint16_t remote_port,
                                               peer::PortWish wish) {
  if (wish.workers == 1 && wish.hub_taken == 0) {
    return host::PortReservation::Hold({source, 0});
  }
  uint32_t start = 0;
  randombytes_buf(&start, sizeof(start));
  for (const uint32_t taken : {wish.hub_taken, 0u}) {
    wish.hub_taken = taken;
    for (uint32_t i = 0; i < kPorts; ++i) {
      const uint32_t port = kFirstPort + (start % kPorts + i) % kPorts;
      if (!wish.IsMet(port + remote_port)) continue;
      absl::StatusOr<host::PortReservation> held =
          host::PortReservation::HoldIfFree(
              {source, static_cast<uint16_t>(port)});
      if (held.ok() || !absl::IsAlreadyExists(held.status())) return held;
    }
  }
  return absl::ResourceExhaustedError(
      Concat("all TCP ports of ", ToString(source), " that suit are in use"));
}

}  // namespace

OuterSide::OuterSide(const config::Config& config, Platform& platform,
                     peer::WorkerLink& link, NameLookups& names,
                     const loop::Log& log)
    : config_(config),
      platform_(platform),
      link_(link),
      names_(names),
      log_(log),
      remote_log_(log),
      follower_(
          config, platform, [this] { return Destinations(); }, log),
      keeper_(
          platform.netlink(), platform.link(),
          [this](const IpAddress& remote, const host::NextHop& hop) {
            OnNextHop(remote, hop);
          },
          [this](const IpAddress& remote) {
            return platform_.RouteTo(remote);
          }),
      leg_(platform.leg()),
      tunnel_keeper_(platform.netlink(), platform.tunnel_mtu(),
                     {.ifindex = platform.tunnel_index(),
                      .addresses = config.tunnel.addresses,
                      .networks = config.PeerNetworks()}),
      addresses_(config.tunnel.addresses),
      networks_(config.PeerNetworks()) {}

absl::Status OuterSide::Listen(std::span<const Endpoint> locals) {
  std::vector<Endpoint> endpoints(locals.begin(), locals.end());
  for (const Endpoint& local : locals) {
    // [::] means both families, as for other servers.
    const Endpoint ipv4 = {IpAddress::Any(Family::kIpv4), local.port};
    if (local.address == IpAddress::Any(Family::kIpv6) &&
        std::find(endpoints.begin(), endpoints.end(), ipv4) ==
            endpoints.end()) {
      endpoints.push_back(ipv4);
    }
  }
  for (const Endpoint& endpoint : endpoints) {
    absl::StatusOr<host::PortReservation> held =
        host::PortReservation::Hold(endpoint, /*may_come=*/true);
    if (!held.ok()) return held.status();
    listening_.push_back(*std::move(held));
  }
  absl::Status status = UpdateListenAddresses();
  if (status.ok()) link_.SendToAll(ListenCommand{endpoints});
  return status;
}

absl::Status OuterSide::UpdateListenAddresses() {
  if (listening_.empty()) return absl::OkStatus();
  std::vector<Endpoint> found;
  absl::StatusOr<std::vector<host::InterfaceAddress>> addresses =
      platform_.netlink().Addresses();
  if (!addresses.ok()) return addresses.status();
  for (const host::PortReservation& held : listening_) {
    const Endpoint& endpoint = held.endpoint();
    if (!endpoint.address.IsUnspecified()) {
      found.push_back(endpoint);
      continue;
    }
    for (const host::InterfaceAddress& own : *addresses) {
      if (own.prefix.address.family != endpoint.address.family ||
          own.ifindex == platform_.tunnel_index()) {
        continue;
      }
      found.push_back({own.prefix.address, endpoint.port});
    }
  }
  listen_addresses_ = std::move(found);
  return ApplyEndpoints();
}

absl::Status OuterSide::ApplyEndpoints() {
  std::vector<Endpoint> endpoints = listen_addresses_;
  for (const Local& local : locals_) {
    endpoints.push_back(local.reservation.endpoint());
  }
  if (endpoints == applied_) return absl::OkStatus();
  absl::Status status = platform_.SetEndpoints(endpoints);
  if (status.ok()) applied_ = std::move(endpoints);
  return status;
}

void OuterSide::OnHostChanges(const host::HostChanges& changes,
                              uint64_t now_us) {
  const uint32_t mtu = platform_.link().mtu;
  follower_.HostChanged(changes, now_us);
  if (follower_.OnTimer(now_us)) {
    OnMoved(now_us);
  } else {
    FollowLink(mtu);
  }
  keeper_.HostChanged(changes, now_us);
  tunnel_keeper_.HostChanged(changes, now_us);
  const bool ways = changes.everything || changes.routes ||
                    !changes.links.empty() || !changes.addresses.empty();
  if (ways) FollowWay();
  if (!changes.everything && changes.addresses.empty()) return;
  FollowOverlap();
  connected_.reset();
  absl::Status status = UpdateListenAddresses();
  if (!status.ok()) log_.Error(status.message());
}

// Of those that stand first.
std::vector<IpAddress> OuterSide::Destinations() const {
  std::vector<IpAddress> remotes;
  for (const auto& [remote, flows] : followed_) remotes.push_back(remote);
  for (const Local& local : locals_) {
    if (local.close_at_us == UINT64_MAX) remotes.push_back(local.remote);
  }
  if (remotes.empty() && hub_) remotes.push_back(*hub_);
  return remotes;
}

void OuterSide::OnMoved(uint64_t now_us) {
  const host::Link& link = platform_.link();
  const host::Link& before = keeper_.uplink();
  // Where another interface of a hub came or went, next hops are as they were.
  if (std::exchange(leg_, platform_.leg()) != platform_.leg()) FollowLeg();
  if (before.index != link.index || before.name != link.name ||
      before.mac != link.mac) {
    keeper_.SetUplink(link, now_us);
  }
  // A port that is shared tells the MTU that it was opened with.
  TellMtu();
  const absl::Status status = UpdateListenAddresses();
  if (!status.ok()) log_.Error(status.message());
  // Whoever opens a flow just now is told once that is done.
  moved_ = true;
}

// Flows by an interface that is served as well as before stay there; the others
// go by the first.
void OuterSide::FollowLeg() {
  std::vector<FlowId> stay;
  for (auto& [flow, followed] : followed_flows_) {
    if (platform_.IsOtherLeg(followed.leg)) {
      stay.push_back(FlowId{flow});
    } else {
      followed.leg = leg_;
    }
  }
  for (const FlowId flow : stay) ForgetNextHop(flow);
  for (const auto& [remote, flows] : followed_) {
    const host::NextHop* hop = keeper_.Find(remote);
    if (hop != nullptr) OnNextHop(remote, *hop);
  }
}

// A client that waits before it calls again has no reason to once there is
// another way.
void OuterSide::FollowWay() {
  if (config_.mode != config::Mode::kClient) return;
  std::optional<Way> way;
  if (hub_) {
    const auto route = platform_.RouteTo(*hub_);
    if (route.ok() && route->ifindex == platform_.link().index) {
      way = Way{*route, platform_.link().has_carrier};
    }
  } else if (platform_.has_uplink() && platform_.link().up) {
    way =
        Way{{.ifindex = platform_.link().index}, platform_.link().has_carrier};
  }
  if (way == way_) return;
  way_ = way;
  if (way && on_way_back_) on_way_back_();
}

// A LAN that has the tunnel's network is met on a journey, too.
void OuterSide::FollowOverlap() {
  std::string overlap = host::SharedWithInterface(
      platform_.netlink(), addresses_, platform_.tunnel_index());
  if (!overlap.empty() && overlap != overlap_) log_.Warn(overlap);
  overlap_ = std::move(overlap);
}

void OuterSide::Report(telemetry::Status& status, uint64_t) const {
  if (!overlap_.empty()) status.tunnel.reason += "; " + overlap_;
  if (!follower_.problem().empty()) status.uplink.reason = follower_.problem();
}

// What was refused is tried again, and said.
absl::Status OuterSide::Apply(const config::Config&, uint64_t) {
  return tunnel_keeper_.SetNetworks(networks_);
}

void OuterSide::SetTunnelAddresses(const std::vector<IpPrefix>& addresses) {
  addresses_ = addresses;
  const absl::Status set = tunnel_keeper_.SetAddresses(addresses);
  if (!set.ok()) remote_log_.Error(Cause::Peer("addresses"), set.message());
  FollowOverlap();
}

void OuterSide::SetNetworks(const std::vector<IpPrefix>& networks) {
  networks_ = networks;
  const Cause cause = Cause::Peer("networks");
  const absl::Status routed = tunnel_keeper_.SetNetworks(networks);
  if (!routed.ok()) remote_log_.Warn(cause, routed.message());
  if (LanSide* lan = platform_.lan()) {
    // Whatever else a LAN's hosts send is forwarded by the kernel, which has
    // the routes of the halves, too: a filter would take what is for the host.
    std::vector<IpPrefix> beyond = networks;
    std::erase_if(beyond, config::IsHalf);
    const absl::Status taken = lan->SetNetworks(beyond);
    if (!taken.ok()) remote_log_.Error(cause, taken.message());
  }
}

std::span<const IpPrefix> OuterSide::ConnectedNetworks() {
  if (connected_) return *connected_;
  connected_.emplace(config_.lan.addresses);
  const auto addresses = platform_.netlink().Addresses();
  if (!addresses.ok()) return *connected_;
  for (const host::InterfaceAddress& each : *addresses) {
    if (each.ifindex == platform_.tunnel_index()) continue;
    connected_->push_back(each.prefix);
  }
  return *connected_;
}

std::vector<IpPrefix> OuterSide::NetworksElsewhere() {
  std::vector<IpPrefix> networks;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const auto routed =
        platform_.netlink().NetworksRouted(family, platform_.tunnel_index());
    if (!routed.ok()) continue;
    networks.insert(networks.end(), routed->begin(), routed->end());
  }
  return networks;
}

void OuterSide::TellMtu() {
  link_.SendToAll(SetLinkMtuCommand{static_cast<uint16_t>(
      std::min<uint32_t>(platform_.link().mtu, UINT16_MAX))});
}

void OuterSide::FollowLink(uint32_t before) {
  const uint32_t mtu = platform_.link().mtu;
  if (mtu == before) return;
  log_.Info("uplink ", platform_.link().name, " has MTU ", mtu);
  TellMtu();
}

void OuterSide::OnTimer(uint64_t now_us) {
  if (now_us >= follower_.next_deadline_us() && follower_.OnTimer(now_us)) {
    OnMoved(now_us);
  }
  if (std::exchange(moved_, false)) {
    FollowWay();
    if (on_uplink_moved_) on_uplink_moved_();
  }
  if (now_us >= keeper_.next_deadline_us()) keeper_.OnTimer(now_us);
  for (const std::string& line : tunnel_keeper_.OnTimer(now_us)) {
    log_.Warn(line);
  }
  if (tunnel_keeper_.lost() && on_tunnel_lost_) {
    std::exchange(on_tunnel_lost_, {})();
  }
  remote_log_.Report();
  size_t before = locals_.size();
  std::erase_if(
      locals_, [&](const Local& local) { return local.close_at_us <= now_us; });
  if (locals_.size() == before) return;
  absl::Status status = ApplyEndpoints();
  if (!status.ok()) log_.Error(status.message());
}

uint64_t OuterSide::NextDeadline() const {
  if (moved_) return 0;
  uint64_t next =
      std::min({follower_.next_deadline_us(), keeper_.next_deadline_us(),
                tunnel_keeper_.next_deadline_us()});
  for (const Local& local : locals_) next = std::min(next, local.close_at_us);
  return next;
}

std::optional<IpAddress> OuterSide::SourceTo(const IpAddress& remote) {
  absl::StatusOr<host::Route> route = platform_.RouteTo(remote);
  if (!route.ok() || route->ifindex != platform_.link().index) {
    return std::nullopt;
  }
  return route->source;
}

uint64_t OuterSide::UnixMs() {
  timeval now{};
  gettimeofday(&now, nullptr);
  return static_cast<uint64_t>(now.tv_sec) * 1000 +
         static_cast<uint64_t>(now.tv_usec) / 1000;
}

wire::LinkHeader OuterSide::HeaderOf(const host::NextHop& hop) const {
  return wire::LinkHeader::From(hop.header.view(), platform_.leg());
}

// Of a flow that came by another interface the answers go back to where its
// SYN came from, whatever the routes say: the way there is its sender's choice.
void OuterSide::FollowNextHop(FlowId flow, const IpAddress& remote,
                              uint8_t leg) {
  if (platform_.IsOtherLeg(leg)) return;
  followed_flows_[flow.value] = {remote, platform_.leg()};
  followed_[remote].insert(flow.value);
  keeper_.Add(remote, NowUs());
  const host::NextHop* hop = keeper_.Find(remote);
  if (hop != nullptr && hop->ready) {
    link_.Send(SetLinkCommand{flow, HeaderOf(*hop)});
  }
}

void OuterSide::ForgetNextHop(FlowId flow) {
  const auto found = followed_flows_.find(flow.value);
  if (found == followed_flows_.end()) return;
  const IpAddress remote = found->second.remote;
  followed_flows_.erase(found);
  keeper_.Remove(remote);
  const auto flows = followed_.find(remote);
  flows->second.erase(flow.value);
  if (!flows->second.empty()) return;
  silent_.erase(remote);
  followed_.erase(flows);
}

void OuterSide::OnNextHop(const IpAddress& remote, const host::NextHop& hop) {
  NoteSilence(remote, !hop.ready || hop.silent);
  if (!hop.ready) {
    log_.Debug("next hop to ", ToString(remote), ": ", hop.problem);
    return;
  }
  const auto flows = followed_.find(remote);
  if (flows == followed_.end()) return;
  for (const uint64_t flow : flows->second) {
    link_.Send(SetLinkCommand{FlowId{flow}, HeaderOf(hop)});
  }
}

void OuterSide::NoteSilence(const IpAddress& remote, bool silent) {
  if (!followed_.contains(remote)) return;
  const Cause cause = Cause::Peer("next hop");
  if (silent) {
    if (!silent_.insert(remote).second) return;
    remote_log_.Info(cause, "the next hop to ", ToString(remote),
                     " does not answer");
  } else if (silent_.erase(remote) != 0) {
    remote_log_.Info(cause, "the next hop to ", ToString(remote),
                     " answers again");
    if (on_way_back_) on_way_back_();
  }
}

void OuterSide::SuspectPath(const IpAddress& remote) {
  keeper_.Suspect(remote, NowUs());
}

void OuterSide::SetInnerMtu(uint16_t mtu) {
  const Cause cause = Cause::Peer("inner MTU");
  const absl::StatusOr<bool> changed = platform_.tunnel_mtu().Propose(mtu);
  if (!changed.ok()) {
    remote_log_.Error(cause, changed.status().message());
  } else if (*changed) {
    remote_log_.Info(cause, "inner MTU of ", platform_.tunnel().info().device,
                     " is ", platform_.tunnel_mtu().mtu());
  }
}

void OuterSide::Resolve(const std::string& name, uint16_t port) {
  lookup_.TakeBack();
  absl::StatusOr<NameLookups::Question> question = names_.Start(
      name, port, [this](absl::StatusOr<std::vector<Endpoint>> endpoints) {
        if (on_hub_found_) on_hub_found_(std::move(endpoints));
      });
  if (question.ok()) {
    lookup_ = *std::move(question);
  } else {
    log_.Error(question.status().message());
  }
}

absl::StatusOr<Endpoint> OuterSide::OpenLocal(const Endpoint& remote,
                                              const peer::PortWish& wish) {
  hub_ = remote.address;
  if (follower_.LeadTo(remote.address, NowUs())) OnMoved(NowUs());
  absl::StatusOr<host::Route> route = platform_.RouteTo(remote.address);
  if (!route.ok()) return route.status();
  if (!platform_.has_uplink()) {
    return absl::FailedPreconditionError(follower_.problem().empty()
                                             ? "there is no uplink yet"
                                             : follower_.problem());
  }
  if (route->ifindex != platform_.link().index) {
    return absl::FailedPreconditionError(
        Concat("the route to ", ToString(remote.address),
               " does not go by the uplink ", platform_.link().name,
               ", by which other flows go"));
  }
  absl::StatusOr<host::PortReservation> held =
      HoldPort(route->source, remote.port, wish);
  if (!held.ok()) return held.status();
  Endpoint local = held->endpoint();
  locals_.push_back({*std::move(held), remote.address});
  keeper_.Add(remote.address, NowUs());
  absl::Status status = ApplyEndpoints();
  if (status.ok()) return local;
  keeper_.Remove(remote.address);
  locals_.pop_back();
  return status;
}

void OuterSide::CloseLocal(const Endpoint& local) {
  for (Local& held : locals_) {
    if (held.reservation.endpoint() != local ||
        held.close_at_us != UINT64_MAX) {
      continue;
    }
    held.close_at_us = NowUs() + kLingerUs;
    keeper_.Remove(held.remote);
    return;
  }
}

std::optional<wire::LinkHeader> OuterSide::LinkTo(const IpAddress& remote) {
  const host::NextHop* hop = keeper_.Find(remote);
  if (hop == nullptr || !hop->ready) return std::nullopt;
  return HeaderOf(*hop);
}

std::string OuterSide::LinkProblem(const IpAddress& remote) {
  const host::NextHop* hop = keeper_.Find(remote);
  return hop == nullptr ? "its next hop is not followed" : hop->problem;
}

uint16_t OuterSide::MaxInnerMtu(const Endpoint& remote) {
  return platform_.MaxInnerMtu(remote.address.family);
}

}  // namespace lwt
