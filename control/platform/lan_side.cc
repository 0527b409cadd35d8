#include "control/platform/lan_side.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "drivers/ports/interface.h"
#include "drivers/ports/memif.h"
#include "drivers/tun/offload_port.h"

namespace lwt {
namespace {

using config::Concat;

constexpr uint16_t kMemifMtu = 1500;

absl::Status Unusable(std::string_view name, std::string_view why) {
  return absl::FailedPreconditionError(Concat("lan_port ", name, " ", why));
}

absl::Status CheckLink(const LanSide::Context& context,
                       const host::Link& link) {
  if (link.index == context.uplink.index) {
    return Unusable(link.name,
                    "is the uplink; name another interface, or leave lan_port "
                    "out to let the kernel forward");
  }
  if (link.name == context.tunnel_device) {
    return Unusable(link.name, "is the tunnel device itself");
  }
  if (link.loopback || link.link_header_size() != 14) {
    return Unusable(link.name, "is no Ethernet interface");
  }
  if (!link.up) {
    return Unusable(link.name,
                    Concat("is down; `ip link set dev ", link.name, " up`"));
  }
  if (!link.has_carrier) {
    context.log.Warn("lan_port ", link.name,
                     " has no carrier: is its cable plugged in?");
  }
  return absl::OkStatus();
}

std::string SetElements(const std::string& table, std::string_view set,
                        const std::vector<std::string>& elements) {
  if (elements.empty()) return "";
  return Concat("add element netdev ", table, " ", set, " { ",
                absl::StrJoin(elements, ", "), " }\n");
}

// In place of what the guard's sets had.
std::string GuardElements(const host::OwnerTable& table, const RoutedSet& set) {
  constexpr std::string_view kSets[] = {"routed4", "routed6", "own4", "own6"};
  std::vector<std::string> elements[std::size(kSets)];
  for (const IpPrefix& network : set.networks) {
    elements[network.address.family == Family::kIpv4 ? 0 : 1].push_back(
        ToString(IpPrefix{network.Network(), network.length}));
  }
  for (const IpAddress& own : set.kept) {
    elements[own.family == Family::kIpv4 ? 2 : 3].push_back(ToString(own));
  }
  std::string commands;
  for (size_t i = 0; i < std::size(kSets); ++i) {
    commands += Concat("flush set netdev ", table.name(), " ", kSets[i], "\n",
                       SetElements(table.name(), kSets[i], elements[i]));
  }
  return commands;
}

// Drops what BuildLanFilter takes.
absl::StatusOr<std::unique_ptr<host::OwnerTable>> OpenGuard(
    std::string_view device, const RoutedSet& set) {
  auto table = host::OwnerTable::Open(
      device,
      {"routed4 { type ipv4_addr; flags interval; auto-merge; }",
       "routed6 { type ipv6_addr; flags interval; auto-merge; }",
       "own4 { type ipv4_addr; }", "own6 { type ipv6_addr; }"},
      {"meta pkttype host ip daddr @routed4 ip daddr != @own4 drop",
       "meta pkttype host ip6 daddr @routed6 ip6 daddr != @own6 drop"});
  if (!table.ok()) return table.status();
  const absl::Status filled = (*table)->Run(GuardElements(**table, set));
  if (!filled.ok()) return filled;
  return table;
}

std::string TwinName(const std::string& tunnel) {
  constexpr size_t kRoom = 11;  // of 15, for "-lan"
  return tunnel.substr(0, kRoom) + "-lan";
}

}  // namespace

RoutedSet RoutedBy(const std::vector<IpPrefix>& own,
                   const std::vector<IpPrefix>& networks) {
  RoutedSet set;
  for (const IpPrefix& each : own) {
    set.networks.push_back({each.Network(), each.length});
    set.kept.push_back(each.address);
  }
  set.networks.insert(set.networks.end(), networks.begin(), networks.end());
  return set;
}

RoutedSet RoutedBy(const config::Config& config) {
  return RoutedBy(config.tunnel.addresses, config.PeerNetworks());
}

absl::StatusOr<std::unique_ptr<LanSide>> LanSide::Open(const Context& context) {
  std::unique_ptr<LanSide> side(new LanSide(context));
  side->own_ = context.config.tunnel.addresses;
  side->networks_ = context.config.PeerNetworks();
  const absl::Status opened = context.config.lan.port.memif_socket.empty()
                                  ? side->OpenInterface(context)
                                  : side->OpenMemif(context);
  if (!opened.ok()) return opened;
  return side;
}

absl::Status LanSide::OpenInterface(const Context& context) {
  const std::string& name = context.config.lan.port.interface;
  absl::StatusOr<host::Link> link = context.netlink.LinkByName(name);
  if (!link.ok()) {
    return absl::NotFoundError(
        Concat("lan_port ", name, ": ", link.status().message()));
  }
  absl::Status status = CheckLink(context, *link);
  if (status.ok()) status = Follow(context, *link);
  if (!status.ok()) return status;

  const RoutedSet routed = RoutedBy(context.config);
  absl::StatusOr<std::vector<sock_filter>> filter = BuildLanFilter(routed);
  if (!filter.ok()) return filter.status();
  absl::StatusOr<Interface> interface = ReadInterface(name);
  if (!interface.ok()) return interface.status();
  // Guarded before the socket takes the first frame.
  auto guard = OpenGuard(name, routed);
  if (!guard.ok()) {
    return Unusable(name, Concat("cannot be guarded by nftables: ",
                                 guard.status().message()));
  }
  guard_ = *std::move(guard);
  UplinkSpec spec;
  spec.ports = context.workers;
  spec.small_pool = context.small_pool;
  spec.jumbo_pool = context.jumbo_pool;
  spec.super_frames = context.config.uplink.super_frames;
  auto socket = AfPacketUplink::OpenInside(*interface, spec, *filter);
  if (!socket.ok()) return socket.status();
  packet_socket_ = *std::move(socket);
  reason_ = Concat("af_packet ", spec.super_frames ? "with" : "without",
                   " super-frames, neighbours by the kernel");
  return absl::OkStatus();
}

absl::Status LanSide::OpenMemif(const Context& context) {
  if (context.workers != 1) {
    return Unusable("memif",
                    Concat("has one queue, but there are ", context.workers,
                           " workers; set workers = 1"));
  }
  OffloadSpec twin;
  twin.name = TwinName(context.tunnel_device);
  twin.mtu = kMemifMtu;
  twin.ethernet = true;
  twin.pool = context.small_pool;
  twin.jumbo_pool = context.jumbo_pool;
  auto ports = OpenOffloadPorts(twin);
  if (!ports.ok()) return ports.status();
  twin_ = *std::move(ports);
  absl::StatusOr<host::Link> link = context.netlink.LinkByName(twin.name);
  if (!link.ok()) return link.status();
  absl::Status status;
  for (const IpPrefix& address : context.config.lan.addresses) {
    if (status.ok()) {
      status = context.netlink.AddAddress(link->index, address);
    }
  }
  if (status.ok()) status = context.netlink.SetLinkUp(link->index, true);
  if (status.ok()) status = Follow(context, *link);
  if (!status.ok()) return status;

  MemifSpec spec;
  spec.name = context.config.lan.port.memif_socket;
  spec.mtu = kMemifMtu;
  spec.pool = context.small_pool;
  auto memif = OpenMemifServer(spec);
  if (!memif.ok()) {
    return Unusable("memif",
                    Concat("cannot be opened: ", memif.status().message()));
  }
  memif_ = *std::move(memif);
  reason_ = Concat("memif server at ", spec.name, ", the kernel's side is ",
                   twin.name);
  return absl::OkStatus();
}

absl::Status LanSide::Follow(const Context& context, const host::Link& link) {
  keeper_.emplace(context.netlink, link, RoutedBy(context.config));
  absl::StatusOr<std::shared_ptr<const LanTable>> table = keeper_->Read();
  if (!table.ok()) return table.status();
  if (!keeper_->conflicts().empty()) {
    return Unusable(link.name,
                    Concat("has a network that leads into the tunnel too: ",
                           absl::StrJoin(keeper_->conflicts(), ", "),
                           "; change one of the two"));
  }
  if (keeper_->table()->spec().addresses.empty()) {
    log_.Warn("lan_port ", link.name,
              " has no address: its hosts have no gateway to send to");
  }
  return absl::OkStatus();
}

Port* LanSide::port(uint16_t worker) const {
  if (memif_ != nullptr) return memif_.get();
  return &packet_socket_->port(worker);
}

uint16_t LanSide::port_count() const {
  return memif_ != nullptr ? uint16_t{1} : packet_socket_->port_count();
}

void LanSide::Start(std::span<const std::unique_ptr<WorkerThread>> workers) {
  workers_ = workers;
  Publish(keeper_->shared_table());
}

void LanSide::OnHostChanges(const host::HostChanges& changes, uint64_t) {
  const bool was_up = link().up;
  Publish(keeper_->OnHostChanges(changes));
  if (link().up != was_up) {
    log_.Warn("LAN port ", link().name, " is ", link().up ? "up" : "down");
  }
}

absl::Status LanSide::Check(const config::Config& config) const {
  const RoutedSet routed = RoutedBy(config);
  auto conflicts = keeper_->ConflictsWith(routed);
  if (!conflicts.ok()) return conflicts.status();
  if (!conflicts->empty()) {
    return Unusable(
        link().name,
        Concat("has a network that would lead into the tunnel too: ",
               absl::StrJoin(*conflicts, ", ")));
  }
  return BuildLanFilter(routed).status();
}

// The kernel is kept from a frame before we take it, and the other way round.
absl::Status LanSide::SetNetworks(const std::vector<IpPrefix>& networks) {
  if (networks == networks_) return absl::OkStatus();
  const RoutedSet routed = RoutedBy(own_, networks);
  if (packet_socket_ != nullptr) {
    auto filter = BuildLanFilter(routed);
    if (!filter.ok()) return filter.status();
    absl::Status status = guard_->Run(GuardElements(*guard_, routed));
    if (status.ok()) status = packet_socket_->SetFilter(*filter);
    if (!status.ok()) return status;
  }
  networks_ = networks;
  keeper_->SetRouted(routed);
  Publish(keeper_->Read());
  return absl::OkStatus();
}

void LanSide::OnEvent(const Event& event, uint64_t) {
  keeper_->Resolve(event.remote.address);
}

void LanSide::Publish(absl::StatusOr<std::shared_ptr<const LanTable>> table) {
  if (!table.ok()) {
    log_.Error("LAN port ", link().name, ": ", table.status().message());
    return;
  }
  if (*table == nullptr) return;
  for (const std::string& conflict : keeper_->conflicts()) {
    log_.Error("LAN port ", link().name,
               " leads into the tunnel too: ", conflict);
  }
  for (const auto& worker : workers_) worker->mailbox().PublishLan(*table);
}

}  // namespace lwt
