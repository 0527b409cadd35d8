#include "control/platform.h"

#include <algorithm>
#include <utility>

#include "control/config/text.h"
#include "control/host/offload.h"
#include "control/host/undo.h"
#include "dataplane/session/sent_arena.h"
#include "dataplane/wire/record.h"
#include "drivers/eal.h"
#include "drivers/tun/offload_port.h"
#include "drivers/tun/tap_port.h"
#include "drivers/uplink/interface.h"

namespace lwt {
namespace {

using config::Concat;
using config::Mode;

// Of each worker.
// Frames on their way through the pipeline and its queues, those that wait for
// a window, what the tunnel device's port holds, and what waits for control.
// Records that may have to be sent again come on top.
constexpr uint32_t kSmallFrames = 8192;
// What the packet socket holds, a burst under way, punted ones, and
// super-frames from the tunnel device.
constexpr uint32_t kJumboFrames = kAfPacketFrames + 192;
// Rings between control and the worker, and what ethdev keeps per port.
constexpr uint64_t kOtherBytes = 8 << 20;
// A TCP header with the timestamp option.
constexpr uint32_t kTcpHeader = 32;

uint32_t InnerMtuOf(uint32_t link_mtu, Family family) {
  uint32_t overhead = (family == Family::kIpv4 ? 20 : 40) + kTcpHeader +
                      wire::kRecordOverhead + wire::kShardWord;
  return link_mtu > overhead ? link_mtu - overhead : 0;
}

UplinkDriver DriverOf(config::UplinkDriver driver) {
  switch (driver) {
    case config::UplinkDriver::kAuto:
      return UplinkDriver::kAuto;
    case config::UplinkDriver::kAfPacket:
      return UplinkDriver::kAfPacket;
    case config::UplinkDriver::kAfXdp:
      return UplinkDriver::kAfXdp;
  }
  return UplinkDriver::kAuto;
}

MemoryRequest MemoryOf(const config::Config& config, uint32_t workers,
                       uint32_t xdp_queues) {
  const auto kept =
      static_cast<uint32_t>(config.arena_bytes() / SentArena::kSegmentBytes);
  MemoryRequest request;
  request.small_frames = workers * (kSmallFrames + kept);
  // A LAN port is a second packet socket, or holds a buffer or two.
  request.jumbo_frames =
      workers *
      (kJumboFrames + (config.lan.port.configured() ? kAfPacketFrames : 0));
  request.other_bytes = workers * kOtherBytes + xdp_queues * kXdpBytesPerQueue;
  return request;
}

}  // namespace

std::vector<Finding> CheckHost(const config::Config& config) {
  PreflightInput input;
  input.uplink_interface =
      config.uplink.interface.empty() ? "auto" : config.uplink.interface;
  input.uplink_driver = ToString(DriverOf(config.uplink.driver));
  input.memory = config.workers.memory;
  absl::StatusOr<CpuList> cpus = AllowedCpus();
  input.memory_need = ComputeMemoryNeed(
      MemoryOf(config, WorkersWanted(config, cpus.ok() ? cpus->size() : 1),
               config.uplink.driver == config::UplinkDriver::kAfXdp ? 1 : 0));
  return RunPreflight(input);
}

absl::StatusOr<std::unique_ptr<Platform>> Platform::BringUp(
    const config::Config& config, const std::optional<IpAddress>& remote,
    const loop::Log& log) {
  std::unique_ptr<Platform> platform(new Platform(config, log));
  absl::Status status = platform->ClaimInstance();
  if (status.ok()) status = platform->ChooseUplink(remote);
  if (status.ok()) status = platform->PlanWorkers();
  if (status.ok()) status = platform->StartMemory();
  if (status.ok()) status = platform->OpenUplinkPort();
  if (status.ok()) status = platform->OpenTunnel();
  if (status.ok()) status = platform->OpenLan();
  if (status.ok()) status = platform->StartWorkers();
  if (!status.ok()) return status;
  return platform;
}

Platform::~Platform() {
  for (auto& worker : workers_) worker->Stop();
  workers_.clear();
  handoff_.reset();
  lan_.reset();
  uplink_.reset();
  guard_.reset();
  tunnel_.clear();
  jumbo_pool_.reset();
  small_pool_.reset();
  if (eal_started_) StopEal();
  if (!journal_) return;
  for (const std::string& done : host::UndoStale(*journal_)) log_.Debug(done);
}

absl::Status Platform::ClaimInstance() {
  host::InstanceSpec spec;
  spec.mode = config::NameOf(config_.mode);
  spec.tunnel_address = config_.tunnel.addresses.front().address;
  spec.state_dir = config_.host.state_dir;
  spec.control_socket = config_.host.control_socket;
  absl::StatusOr<host::Instance> instance = host::Instance::Claim(spec);
  if (!instance.ok()) return instance.status();
  instance_.emplace(*std::move(instance));
  absl::StatusOr<host::Journal> journal =
      host::Journal::Open(instance_->paths().journal);
  if (!journal.ok()) return journal.status();
  journal_.emplace(*std::move(journal));
  for (const std::string& done : host::UndoStale(*journal_)) log_.Info(done);
  return absl::OkStatus();
}

absl::Status Platform::ChooseUplink(const std::optional<IpAddress>& remote) {
  absl::StatusOr<std::unique_ptr<host::Netlink>> netlink =
      host::Netlink::Open();
  if (!netlink.ok()) return netlink.status();
  netlink_ = *std::move(netlink);
  absl::StatusOr<std::unique_ptr<host::NetlinkMonitor>> monitor =
      host::NetlinkMonitor::Open();
  if (!monitor.ok()) return monitor.status();
  monitor_ = *std::move(monitor);

  absl::StatusOr<host::UplinkChoice> choice;
  if (!config_.uplink.interface.empty()) {
    choice = host::UplinkByName(*netlink_, config_.uplink.interface);
  } else if (config_.mode == Mode::kServer) {
    choice = host::UplinkForListener(*netlink_, config_.hub.local->address);
  } else if (remote) {
    choice = host::UplinkForRemote(*netlink_, *remote);
  } else {
    choice = host::UplinkForListener(*netlink_, IpAddress::Any(Family::kIpv4));
  }
  if (!choice.ok()) return choice.status();
  choice_ = *std::move(choice);
  return absl::OkStatus();
}

// What AF_XDP would take in memory, and whether it is tried at all. `auto`
// takes it only without a copy, which a virtual link does not offer and which
// needs hugepages.
absl::StatusOr<MemoryPlan> Platform::PlanForUplink(
    std::span<const HugepagePool> pools) {
  const auto workers = static_cast<uint32_t>(cpus_.workers.size());
  const auto plan = [&](uint32_t xdp_queues) {
    return PlanMemory(config_.workers.memory,
                      ComputeMemoryNeed(MemoryOf(config_, workers, xdp_queues)),
                      pools);
  };
  const bool is_auto = config_.uplink.driver == config::UplinkDriver::kAuto;
  if (config_.uplink.driver == config::UplinkDriver::kAfPacket) return plan(0);
  if (is_auto && !choice_.link.kind.empty()) {
    no_xdp_ = Concat("no zero-copy AF_XDP on a virtual link (",
                     choice_.link.kind, ")");
    return plan(0);
  }
  absl::StatusOr<Interface> interface = ReadInterface(choice_.link.name);
  if (!interface.ok()) return interface.status();
  absl::StatusOr<MemoryPlan> with_xdp = plan(interface->rx_queues);
  if (is_auto && (!with_xdp.ok() || !with_xdp->use_hugepages)) {
    no_xdp_ = "zero-copy AF_XDP needs hugepages, which are not in use";
    return plan(0);
  }
  may_use_xdp_ = true;
  return with_xdp;
}

absl::Status Platform::StartMemory() {
  int node = NumaNodeOfCpu("/sys", cpus_.workers.front());
  absl::StatusOr<MemoryPlan> memory =
      PlanForUplink(ReadHugepagePools("/sys", node));
  if (!memory.ok()) return memory.status();
  memory_ = *memory;
  log_.Info("memory: ", memory_.reason);

  EalOptions options;
  options.memory = memory_;
  options.control_cpu = cpus_.control;
  options.log_sink = [this](std::string_view line) {
    log_.Debug("DPDK: ", line);
  };
  absl::Status started = StartEal(options);
  if (!started.ok()) return started;
  eal_started_ = true;

  const MemoryRequest request =
      MemoryOf(config_, static_cast<uint32_t>(cpus_.workers.size()), 0);
  absl::StatusOr<PacketPool> small = PacketPool::Create(
      "small", PacketPool::Kind::kSmall, request.small_frames);
  if (!small.ok()) return small.status();
  small_pool_.emplace(*std::move(small));
  absl::StatusOr<PacketPool> jumbo = PacketPool::Create(
      "jumbo", PacketPool::Kind::kJumbo, request.jumbo_frames);
  if (!jumbo.ok()) return jumbo.status();
  jumbo_pool_.emplace(*std::move(jumbo));
  return absl::OkStatus();
}

uint16_t Platform::MaxInnerMtu(Family family) const {
  uint32_t mtu = InnerMtuOf(choice_.link.mtu, family);
  if (config_.tunnel.mtu != 0)
    mtu = std::min<uint32_t>(mtu, config_.tunnel.mtu);
  // A frame and its headers fit an ordinary buffer.
  uint32_t room = PacketPool::kSmallRoom - RTE_PKTMBUF_HEADROOM -
                  (wire::kRecordOverhead + wire::kShardWord);
  return static_cast<uint16_t>(std::min(mtu, room));
}

// `auto` falls back to the TAP driver where the kernel lacks something, not
// where the settings are wrong.
absl::Status Platform::OpenTunnelPort(uint16_t mtu) {
  if (config_.tunnel.port == config::TunnelPort::kTap) {
    tunnel_reason_ = "net_tap, as tunnel_port says";
  } else {
    OffloadSpec spec;
    spec.name = config_.tunnel.device;
    spec.mtu = mtu;
    spec.queues = uplink_->port_count();
    spec.pool = small_pool_->get();
    spec.jumbo_pool = jumbo_pool_->get();
    absl::StatusOr<std::vector<std::unique_ptr<Port>>> ports =
        OpenOffloadPorts(spec);
    if (ports.ok()) {
      tunnel_ = *std::move(ports);
      tunnel_reason_ = tunnel_.front()->info().segments_udp
                           ? "tun with segmentation of TCP and UDP"
                           : "tun with segmentation of TCP";
      return absl::OkStatus();
    }
    if (config_.tunnel.port == config::TunnelPort::kOffload ||
        !absl::IsUnimplemented(ports.status())) {
      return ports.status();
    }
    tunnel_reason_ = Concat("net_tap: ", ports.status().message());
  }
  TapSpec spec;
  spec.name = config_.tunnel.device;
  spec.mtu = mtu;
  spec.queues = uplink_->port_count();
  spec.pool = small_pool_->get();
  absl::StatusOr<std::vector<std::unique_ptr<Port>>> ports = OpenTapPorts(spec);
  if (!ports.ok()) return ports.status();
  tunnel_ = *std::move(ports);
  return absl::OkStatus();
}

absl::Status Platform::OpenTunnel() {
  Family family = Family::kIpv4;
  if (config_.hub.local) family = config_.hub.local->address.family;
  uint16_t mtu = MaxInnerMtu(family);
  if (config_.tunnel.mtu != 0 && mtu < config_.tunnel.mtu) {
    log_.Warn("mtu = ", config_.tunnel.mtu, " does not fit ", choice_.link.name,
              " (MTU ", choice_.link.mtu, "); using ", mtu);
  }
  absl::Status opened = OpenTunnelPort(mtu);
  if (!opened.ok()) return opened;
  log_.Info("tunnel: ", tunnel_reason_);

  absl::StatusOr<host::Link> link = netlink_->LinkByName(config_.tunnel.device);
  if (!link.ok()) return link.status();
  tunnel_index_ = link->index;
  absl::Status status = SetTunnelMtu(mtu);
  for (const IpPrefix& address : config_.tunnel.addresses) {
    if (status.ok()) status = netlink_->AddAddress(tunnel_index_, address);
  }
  if (status.ok()) status = netlink_->SetLinkUp(tunnel_index_, true);
  for (const IpPrefix& network : config_.PeerNetworks()) {
    if (status.ok()) status = netlink_->AddRoute(tunnel_index_, network);
  }
  return status;
}

absl::Status Platform::OpenLan() {
  if (!config_.lan.port.configured()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<LanSide>> lan =
      LanSide::Open({.config = config_,
                     .netlink = *netlink_,
                     .uplink = choice_.link,
                     .log = log_,
                     .workers = uplink_->port_count(),
                     .small_pool = small_pool_->get(),
                     .jumbo_pool = jumbo_pool_->get()});
  if (!lan.ok()) return lan.status();
  lan_ = *std::move(lan);
  log_.Info("LAN: ", lan_->link().name, ", ", lan_->reason());
  return absl::OkStatus();
}

absl::Status Platform::SetTunnelMtu(uint16_t mtu) {
  if (mtu == tunnel_mtu_) return absl::OkStatus();
  absl::Status status = netlink_->SetLinkMtu(tunnel_index_, mtu);
  if (status.ok()) tunnel_mtu_ = mtu;
  return status;
}

absl::Status Platform::JournalXdp(uint32_t program_id) {
  host::HostChange change;
  change.kind = host::HostChange::Kind::kXdp;
  change.netns = host::CurrentNetns();
  change.ifindex = choice_.link.index;
  change.interface = choice_.link.name;
  change.program_id = program_id;
  return journal_->Record(change);
}

absl::Status Platform::OpenUplinkPort() {
  if (may_use_xdp_) {
    absl::StatusOr<std::vector<std::string>> off =
        host::SwitchOff(choice_.link.name, choice_.link.index,
                        host::kHardwareMerging, *journal_);
    if (!off.ok()) return off.status();
    for (const std::string& name : *off) {
      log_.Info("switched ", name, " off on ", choice_.link.name,
                " until exit: AF_XDP cannot split merged frames");
    }
    absl::Status noted = JournalXdp(0);
    if (!noted.ok()) return noted;
  }
  UplinkSpec spec;
  spec.interface = choice_.link.name;
  spec.driver = DriverOf(config_.uplink.driver);
  spec.jumbo_pool = jumbo_pool_->get();
  spec.small_pool = small_pool_->get();
  spec.super_frames = config_.uplink.super_frames;
  spec.no_xdp = no_xdp_;
  spec.ports = static_cast<uint16_t>(cpus_.workers.size());
  absl::StatusOr<std::unique_ptr<Uplink>> uplink = OpenUplink(spec);
  if (!uplink.ok()) return uplink.status();
  uplink_ = *std::move(uplink);
  log_.Info("uplink: ", choice_.reason);
  log_.Info("uplink: ", uplink_->reason());

  if (uplink_->info().driver != "af_packet") {
    return JournalXdp(uplink_->xdp_program_id());
  }
  // Nothing was attached, and the packet socket splits merged frames.
  for (const std::string& done : host::UndoStale(*journal_)) log_.Debug(done);
  absl::StatusOr<std::unique_ptr<host::IngressGuard>> guard =
      host::IngressGuard::Open(choice_.link.name);
  if (!guard.ok()) return guard.status();
  guard_ = *std::move(guard);
  return absl::OkStatus();
}

void Platform::RefreshLink() {
  absl::StatusOr<host::Link> link = netlink_->LinkByIndex(choice_.link.index);
  if (!link.ok()) {
    choice_.link.up = false;
    return;
  }
  if (link->up != choice_.link.up) {
    log_.Warn("uplink ", choice_.link.name, " is ", link->up ? "up" : "down");
  }
  choice_.link = *std::move(link);
}

}  // namespace lwt
