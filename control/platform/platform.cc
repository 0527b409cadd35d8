#include "control/platform/platform.h"

#include <netinet/in.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/host/instance/instance_spec.h"
#include "control/host/net/line_kind.h"
#include "control/host/net/overlap.h"
#include "control/host/net/uplink_choice.h"
#include "control/hub/hub_sessions.h"
#include "control/platform/uplink_plan.h"
#include "control/platform/worker_tuning.h"
#include "dataplane/wire/record.h"
#include "drivers/tun/device_name.h"

namespace lwt {
namespace {

using config::Mode;
using platform::MemoryUse;

// A TCP header with the timestamp option.
constexpr uint32_t kTcpHeader = 32;

constexpr uint32_t OverheadOf(Family family) {
  return (family == Family::kIpv4 ? 20 : 40) + kTcpHeader +
         wire::kRecordOverhead + wire::kShardWord;
}

uint32_t InnerMtuOf(uint32_t link_mtu, Family family) {
  const uint32_t overhead = OverheadOf(family);
  return link_mtu > overhead ? link_mtu - overhead : 0;
}

MemoryUse UseOf(const config::Config& config, uint32_t workers,
                uint32_t xdp_queues, uint32_t other_uplinks) {
  return {.workers = workers,
          .xdp_queues = xdp_queues,
          .other_uplinks = other_uplinks,
          .arena_bytes = config.arena_bytes(),
          .send_queue = config.queues.send,
          .lan_port = config.lan.port.configured()};
}

// As Platform::StartMemory computes it; none where the host cannot be asked.
uint32_t OtherUplinks(const config::Config& config) {
  if (!platform::ServesAll(config)) return 0;
  auto netlink = host::Netlink::Open();
  if (!netlink.ok()) return 0;
  const auto uplinks = host::OthersForListener(**netlink, {});
  if (!uplinks.ok() || uplinks->empty()) return 0;
  return platform::OtherUplinksWithMemory(uplinks->size() - 1);
}

}  // namespace

std::vector<Finding> CheckHost(const config::Config& config) {
  PreflightInput input;
  input.uplink_interface =
      config.uplink.interface.empty() ? "auto" : config.uplink.interface;
  input.uplink_driver = ToString(platform::DriverOf(config.uplink.driver));
  input.memory = config.workers.memory;
  absl::StatusOr<CpuList> cpus = AllowedCpus();
  const uint32_t workers =
      platform::WorkersWanted(config, cpus.ok() ? cpus->size() : 1);
  input.memory_need = ComputeMemoryNeed(platform::RequestFor(
      UseOf(config, workers,
            config.uplink.driver == config::UplinkDriver::kAfXdp ? 1 : 0,
            OtherUplinks(config))));
  return RunPreflight(input);
}

absl::StatusOr<std::unique_ptr<Platform>> Platform::BringUp(
    const config::Config& config, const std::optional<IpAddress>& remote,
    const loop::Log& log) {
  std::unique_ptr<Platform> platform(new Platform(config, log));
  absl::Status status = platform->ClaimPlace();
  if (!status.ok()) return status;
  status = platform->CheckNetwork(remote);
  if (!status.ok()) return status;
  absl::StatusOr<host::UplinkChoice> choice = platform->ChooseUplink(remote);
  absl::StatusOr<platform::WorkerPlan> plan = platform::PlanWorkers(config);
  if (!plan.ok()) return plan.status();
  platform->plan_ = *std::move(plan);
  status = platform->StartMemory(choice.ok() ? &choice->link : nullptr);
  if (status.ok()) status = platform->OpenUplink(std::move(choice));
  if (status.ok()) status = platform->OpenTunnel();
  if (status.ok()) status = platform->OpenLan();
  if (status.ok()) status = platform->StartWorkers();
  if (!status.ok()) return status;
  return platform;
}

// What is for the tunnel must not be anybody else's, nor the hub be in it.
absl::Status Platform::CheckNetwork(const std::optional<IpAddress>& remote) {
  const std::vector<IpPrefix>& own = config_.tunnel.addresses;
  for (const IpPrefix& network : own) {
    if (!remote || !network.Contains(*remote)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "the hub's address ", ToString(*remote),
        " lies in the tunnel's own network ",
        ToString(IpPrefix{network.Network(), network.length}),
        "; -r takes the address by which the hub is reached without the "
        "tunnel"));
  }
  return host::CheckNetworkIsFree(*netlink_, own);
}

absl::Status Platform::ClaimPlace() {
  absl::StatusOr<std::unique_ptr<platform::HostPlace>> place =
      platform::HostPlace::Claim(host::SpecOf(config_), log_);
  if (!place.ok()) return place.status();
  place_ = *std::move(place);
  absl::StatusOr<std::unique_ptr<host::Netlink>> netlink =
      host::Netlink::Open();
  if (!netlink.ok()) return netlink.status();
  netlink_ = *std::move(netlink);
  absl::StatusOr<std::unique_ptr<host::NetlinkMonitor>> monitor =
      host::NetlinkMonitor::Open();
  if (!monitor.ok()) return monitor.status();
  monitor_ = *std::move(monitor);
  return absl::OkStatus();
}

// What rules may look at besides. Our ports of a client's flows are not known
// before they are chosen.
host::RouteQuery Platform::QueryFor(
    const IpAddress& remote, const std::optional<Endpoint>& local) const {
  host::RouteQuery query;
  query.destination = remote;
  query.protocol = IPPROTO_TCP;
  if (local) {
    query.source = local->address;
    query.source_port = local->port;
  } else if (config_.mode == Mode::kServer) {
    const std::vector<Endpoint>& all = config_.hub.local;
    const auto alike =
        std::find_if(all.begin(), all.end(), [&](const Endpoint& each) {
          return each.address.family == remote.family;
        });
    if (alike != all.end() && !alike->address.IsUnspecified()) {
      query.source = alike->address;
    }
    if (!all.empty()) {
      query.source_port = (alike != all.end() ? *alike : all.front()).port;
    }
  } else if (const auto hubs = config_.client.HubAddresses(); !hubs.empty()) {
    const auto called = std::find_if(
        hubs.begin(), hubs.end(), [&](const config::HostPort& hub) {
          return ParseIpAddress(hub.host) == remote;
        });
    query.destination_port =
        (called != hubs.end() ? *called : hubs.front()).port;
  }
  if (!config_.uplink.interface.empty() && uplink_ != nullptr) {
    query.out_ifindex = link().index;
  }
  return query;
}

// As for a kernel's connection: once by what is known, and with the address
// that this gives again, for rules that go by it.
absl::StatusOr<host::Route> Platform::AskTwice(host::RouteQuery query) {
  absl::StatusOr<host::Route> route = netlink_->RouteTo(query);
  if (!route.ok() || route->local || query.source) return route;
  query.source = route->source;
  absl::StatusOr<host::Route> by_source = netlink_->RouteTo(query);
  return by_source.ok() ? by_source : route;
}

// Our frames never enter the tunnel that they carry. Where all traffic leads
// there, they go as they would without it.
absl::StatusOr<host::Route> Platform::RouteTo(
    const IpAddress& remote, const std::optional<Endpoint>& local) {
  host::RouteQuery query = QueryFor(remote, local);
  absl::StatusOr<host::Route> route = AskTwice(query);
  const auto inside = [&] {
    return route.ok() && tunnel_ != nullptr && route->ifindex == tunnel_index();
  };
  if (!inside()) return route;
  const absl::StatusOr<int> beside =
      netlink_->LinkBeside(query, tunnel_index());
  if (beside.ok()) {
    query.out_ifindex = *beside;
    route = AskTwice(query);
    if (route.ok() && !inside()) return route;
  }
  return absl::NotFoundError(absl::StrCat(
      "the route to ", ToString(remote),
      " leads into the tunnel itself; give it one by the uplink: ip route add ",
      ToString(remote), " via ROUTER"));
}

absl::StatusOr<host::Route> Platform::RouteBy(int ifindex,
                                              const IpAddress& remote,
                                              const Endpoint& local) {
  absl::StatusOr<host::Route> route = RouteTo(remote, local);
  if (route.ok() && route->ifindex == ifindex) return route;
  host::RouteQuery query = QueryFor(remote, local);
  query.out_ifindex = ifindex;
  absl::StatusOr<host::Route> by_it = netlink_->RouteTo(query);
  return by_it.ok() ? by_it : route;
}

MemoryUse Platform::MemoryFor(uint32_t xdp_queues) const {
  return UseOf(config_, plan_.count(), xdp_queues, other_uplinks_);
}

absl::Status Platform::StartMemory(const host::Link* link) {
  if (platform::ServesAll(config_)) {
    other_uplinks_ = platform::OtherUplinksWithMemory(
        ChooseOthers(link == nullptr ? 0 : link->index).size());
  }
  const int node = NumaNodeOfCpu("/sys", plan_.cpus.workers.front());
  const std::vector<HugepagePool> pools = ReadHugepagePools("/sys", node);
  // AF_XDP takes memory by the queues of an interface that is known now.
  const UplinkDriver driver = link == nullptr
                                  ? UplinkDriver::kAfPacket
                                  : platform::DriverOf(config_.uplink.driver);
  absl::StatusOr<platform::UplinkPlan> plan = platform::PlanUplink(
      driver, link == nullptr ? host::Link() : *link, [&](uint32_t xdp_queues) {
        return PlanMemory(
            config_.workers.memory,
            ComputeMemoryNeed(platform::RequestFor(MemoryFor(xdp_queues))),
            pools);
      });
  if (!plan.ok()) return plan.status();
  may_use_xdp_ = plan->may_use_xdp;
  no_xdp_ = plan->no_xdp;
  log_.Info("memory: ", plan->memory.reason);
  absl::StatusOr<std::unique_ptr<platform::PacketMemory>> memory =
      platform::PacketMemory::Start(plan->memory, MemoryFor(0),
                                    plan_.cpus.control, paths().run_dir, log_);
  if (!memory.ok()) return memory.status();
  memory_ = *std::move(memory);
  return absl::OkStatus();
}

uint16_t Platform::MaxInnerMtu(Family family) const {
  uint32_t mtu = InnerMtuOf(link().mtu, family);
  if (config_.tunnel.mtu != 0) {
    mtu = std::min<uint32_t>(mtu, config_.tunnel.mtu);
  }
  // On a link that carries less, records leave in several segments.
  mtu = std::max<uint32_t>(mtu, config_.LeastMtu());
  // A frame and its headers fit an ordinary buffer.
  uint32_t room = PacketPool::kSmallRoom - RTE_PKTMBUF_HEADROOM -
                  (wire::kRecordOverhead + wire::kShardWord);
  return static_cast<uint16_t>(std::min(mtu, room));
}

absl::Status Platform::OpenTunnel() {
  Family family = Family::kIpv4;
  if (!config_.hub.local.empty()) {
    family = config_.hub.local.front().address.family;
  }
  const uint16_t mtu = MaxInnerMtu(family);
  if (config_.tunnel.mtu != 0 && mtu < config_.tunnel.mtu) {
    log_.Warn("mtu = ", config_.tunnel.mtu, " does not fit ", link().name,
              " (MTU ", link().mtu, "); using ", mtu);
  }
  platform::TunnelDevice::Spec spec;
  spec.name = config_.tunnel.device;
  const absl::Status taken = CheckTunnelName(spec.name);
  if (absl::IsAlreadyExists(taken)) {
    spec.name = NextFreeName(spec.name);
    log_.Warn(taken.message(), "; until then this tunnel's device is ",
              spec.name);
  }
  spec.driver = config_.tunnel.port;
  spec.mtu = [this, family] {
    return host::TunnelMtu::Bounds{.least = config_.LeastMtu(),
                                   .most = MaxInnerMtu(Family::kIpv4),
                                   .alone = FirstDeviceMtu(family)};
  };
  spec.queues = uplink().port_count();
  spec.small_pool = memory_->small().get();
  spec.jumbo_pool = memory_->jumbo().get();
  spec.addresses = config_.tunnel.addresses;
  spec.networks = config_.PeerNetworks();
  absl::StatusOr<std::unique_ptr<platform::TunnelDevice>> tunnel =
      platform::TunnelDevice::Open(spec, *netlink_);
  if (!tunnel.ok()) return tunnel.status();
  tunnel_ = *std::move(tunnel);
  log_.Info("tunnel: ", tunnel_->reason());
  return absl::OkStatus();
}

absl::Status Platform::OpenLan() {
  if (!config_.lan.port.configured()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<LanSide>> lan =
      LanSide::Open({.config = config_,
                     .tunnel_device = tunnel().info().device,
                     .netlink = *netlink_,
                     .uplink = link(),
                     .log = log_,
                     .workers = uplink().port_count(),
                     .small_pool = memory_->small().get(),
                     .jumbo_pool = memory_->jumbo().get()});
  if (!lan.ok()) return lan.status();
  lan_ = *std::move(lan);
  log_.Info("LAN: ", lan_->link().name, ", ", lan_->reason());
  return absl::OkStatus();
}

// A line of Ethernet takes what a kernel begins with, which we look like.
uint16_t Platform::FirstPathMtu() const {
  const host::LineKind kind = host::KindOfLine(link());
  if (kind == host::LineKind::kEthernet) return 0;
  return static_cast<uint16_t>(host::FirstInnerMtu(kind) +
                               OverheadOf(Family::kIpv4));
}

// Of a device of which nothing is known: a client's, until its hub has
// answered.
uint16_t Platform::FirstDeviceMtu(Family family) const {
  const uint16_t most = MaxInnerMtu(family);
  if (config_.mode == Mode::kServer || config_.tunnel.mtu != 0) return most;
  return std::min(most, host::FirstInnerMtu(host::KindOfLine(link())));
}

uint32_t Platform::worker_lanes() const {
  return config_.mode == Mode::kServer
             ? peer::HubSessions::LanesFor(config_.hub.max_clients)
             : kClientLanes;
}

WorkerOptions Platform::CommonOptions() const {
  WorkerOptions options;
  options.pool = memory_->small().get();
  options.max_lanes = worker_lanes();
  options.arena_bytes = config_.arena_bytes();
  options.send_queue = config_.queues.send;
  options.retransmit = config_.workers.retransmit;
  options.tuning = TuningOf(config_, uplink().port_count());
  options.idle = config_.workers.idle == config::Idle::kBusy
                     ? IdleMode::kBusy
                     : IdleMode::kAdaptive;
  options.floods = config_.tunnel.multicast == config::Multicast::kHub;
  options.persona = persona_;
  options.first_path_mtu = FirstPathMtu();
  return options;
}

absl::Status Platform::StartWorkers() {
  persona_ = host::PersonaOf(config_.uplink.persona, host::KernelRelease());
  log_.Info("persona: ", host::NameOf(persona_),
            config_.uplink.persona == config::PersonaChoice::kAuto
                ? ", as the running kernel"
                : ", as asked");
  const uint16_t ports = uplink().port_count();
  std::vector<platform::WorkerSet::Inside> inside(ports);
  for (uint16_t i = 0; i < ports; ++i) {
    inside[i].tunnel = &tunnel_->port(i);
    if (lan_ == nullptr) continue;
    inside[i].lan = lan_->port(i);
    inside[i].twin = lan_->twin();
  }
  absl::StatusOr<std::unique_ptr<platform::WorkerSet>> workers =
      platform::WorkerSet::Start(plan_, CommonOptions(), uplink_->port(),
                                 inside, log_);
  if (!workers.ok()) return workers.status();
  workers_ = *std::move(workers);
  return absl::OkStatus();
}

}  // namespace lwt
