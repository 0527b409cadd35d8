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

uint16_t MtuOf(const host::Link& link) {
  return static_cast<uint16_t>(std::min<uint32_t>(link.mtu, UINT16_MAX));
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
      hops_(platform, link, remote_log_),
      tunnel_keeper_(platform.netlink(), platform.tunnel_mtu(),
                     {.ifindex = platform.tunnel_index(),
                      .addresses = config.tunnel.addresses,
                      .networks = config.PeerNetworks()}),
      addresses_(config.tunnel.addresses),
      networks_(config.PeerNetworks()) {
  mtus_.mtu = MtuOf(platform.link());  // workers begin with that of the port
}

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
  if (!status.ok()) return status;
  FollowMtus();
  link_.SendToAll(ListenCommand{endpoints});
  return absl::OkStatus();
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
  follower_.HostChanged(changes, now_us);
  if (follower_.OnTimer(now_us)) OnMoved(now_us);
  FollowMtus();
  hops_.HostChanged(changes, now_us);
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
  std::vector<IpAddress> remotes = hops_.Remotes();
  for (const Local& local : locals_) {
    if (local.close_at_us == UINT64_MAX) remotes.push_back(local.remote);
  }
  if (remotes.empty() && hub_) remotes.push_back(*hub_);
  return remotes;
}

void OuterSide::OnMoved(uint64_t now_us) {
  TellMtus(MtusNow());
  hops_.UplinkMoved(now_us);
  const absl::Status status = UpdateListenAddresses();
  if (!status.ok()) log_.Error(status.message());
  // Whoever opens a flow just now is told once that is done.
  moved_ = true;
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

// The workers' port tells the MTU that it was opened with, and of several that
// of the first.
SetLinkMtuCommand OuterSide::MtusNow() const {
  SetLinkMtuCommand now;
  now.mtu = MtuOf(platform_.link());
  for (const auto& each : platform_.uplinks().attachments()) {
    if (each->leg() == platform_.leg()) continue;
    now.legs[each->leg()] = MtuOf(each->link());
  }
  return now;
}

void OuterSide::TellMtus(const SetLinkMtuCommand& now) {
  if (now.mtu != mtus_.mtu) {
    log_.Info("uplink ", platform_.link().name, " has MTU ", now.mtu);
  }
  mtus_ = now;
  link_.SendToAll(now);
}

void OuterSide::FollowMtus() {
  const SetLinkMtuCommand now = MtusNow();
  if (now != mtus_) TellMtus(now);
}

void OuterSide::OnTimer(uint64_t now_us) {
  if (now_us >= follower_.next_deadline_us() && follower_.OnTimer(now_us)) {
    OnMoved(now_us);
  }
  if (std::exchange(moved_, false)) {
    FollowWay();
    if (on_uplink_moved_) on_uplink_moved_();
  }
  hops_.OnTimer(now_us);
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
      std::min({follower_.next_deadline_us(), hops_.next_deadline_us(),
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

void OuterSide::FollowNextHop(FlowId flow, const peer::FlowWay& way) {
  hops_.Follow(flow, way, config_.mode == config::Mode::kServer, NowUs());
}

void OuterSide::ForgetNextHop(FlowId flow) { hops_.Forget(flow); }

void OuterSide::SuspectPath(const IpAddress& remote) {
  hops_.Suspect(remote, NowUs());
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
  hops_.Add(remote.address, NowUs());
  absl::Status status = ApplyEndpoints();
  if (status.ok()) return local;
  hops_.Remove(remote.address);
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
    hops_.Remove(held.remote);
    return;
  }
}

std::optional<wire::LinkHeader> OuterSide::LinkTo(const IpAddress& remote) {
  return hops_.LinkTo(remote);
}

std::string OuterSide::LinkProblem(const IpAddress& remote) {
  return hops_.Problem(remote);
}

uint16_t OuterSide::MaxInnerMtu(const Endpoint& remote) {
  return platform_.MaxInnerMtu(remote.address.family);
}

}  // namespace lwt
