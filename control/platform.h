// What a gateway stands on: its place on the host, packet memory, the tunnel
// device, the uplink and the worker. Brought up in order, taken down in
// reverse; a failure on the way undoes what was done.
//
// Owned by the gateway. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/host/ingress_guard.h"
#include "control/host/instance.h"
#include "control/host/journal.h"
#include "control/host/netlink.h"
#include "control/host/netlink_monitor.h"
#include "control/host/persona.h"
#include "control/host/uplink_choice.h"
#include "control/lan_side.h"
#include "control/loop/log.h"
#include "dataplane/exchange/handoff.h"
#include "dataplane/worker.h"
#include "drivers/cpu_set.h"
#include "drivers/memory_mode.h"
#include "drivers/packet_pool.h"
#include "drivers/preflight.h"
#include "drivers/uplink/uplink.h"

namespace lwt {

class Platform {
 public:
  // Of each worker of a client: one to send on, others about to go.
  static constexpr uint32_t kClientLanes = 4;

  // Takes some hundred milliseconds. `remote` is the hub's address where a
  // client knows it already.
  static absl::StatusOr<std::unique_ptr<Platform>> BringUp(
      const config::Config& config, const std::optional<IpAddress>& remote,
      const loop::Log& log);
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;
  ~Platform();

  // The largest inner MTU for an outer family, as the configuration limits it.
  uint16_t MaxInnerMtu(Family family) const;
  // Sets the tunnel device's MTU.
  absl::Status SetTunnelMtu(uint16_t mtu);
  uint16_t tunnel_mtu() const { return tunnel_mtu_; }
  // Reads the uplink's link again after a change.
  void RefreshLink();

  const host::InstancePaths& paths() const { return instance_->paths(); }
  host::Netlink& netlink() { return *netlink_; }
  host::NetlinkMonitor& monitor() { return *monitor_; }
  const host::Link& link() const { return choice_.link; }
  // Whose TCP the outer flows show.
  Persona persona() const { return persona_; }
  const std::string& choice_reason() const { return choice_.reason; }
  int tunnel_index() const { return tunnel_index_; }
  const Port& tunnel(size_t worker = 0) const { return *tunnel_[worker]; }
  const std::string& tunnel_reason() const { return tunnel_reason_; }
  Uplink& uplink() { return *uplink_; }
  const Uplink& uplink() const { return *uplink_; }
  LanSide* lan() { return lan_.get(); }  // null without a LAN port
  const LanSide* lan() const { return lan_.get(); }
  host::IngressGuard* guard() { return guard_.get(); }  // af_packet only
  // At least one.
  std::span<const std::unique_ptr<WorkerThread>> workers() const {
    return workers_;
  }
  const MemoryPlan& memory() const { return memory_; }
  const PacketPool& small_pool() const { return *small_pool_; }
  const PacketPool& jumbo_pool() const { return *jumbo_pool_; }

 private:
  Platform(const config::Config& config, const loop::Log& log)
      : config_(config), log_(log) {}

  absl::Status ClaimInstance();
  absl::Status ChooseUplink(const std::optional<IpAddress>& remote);
  absl::Status StartMemory();
  absl::Status OpenTunnel();
  absl::Status OpenTunnelPort(uint16_t mtu);
  absl::Status OpenLan();
  absl::Status OpenUplinkPort();
  absl::Status JournalXdp(uint32_t program_id);
  absl::Status PlanWorkers();
  absl::Status StartWorkers();
  WorkerOptions OptionsOf(uint32_t worker) const;
  absl::StatusOr<MemoryPlan> PlanForUplink(std::span<const HugepagePool> pools);
  uint32_t MaxLanes() const;

  const config::Config& config_;
  const loop::Log& log_;

  std::unique_ptr<host::Netlink> netlink_;
  std::unique_ptr<host::NetlinkMonitor> monitor_;
  std::optional<host::Instance> instance_;
  std::optional<host::Journal> journal_;
  host::UplinkChoice choice_;
  Persona persona_ = Persona::kLinux618;
  MemoryPlan memory_;
  CpuList allowed_cpus_;
  CpuPlan cpus_;  // of as many workers as are wanted
  bool may_use_xdp_ = false;
  std::string no_xdp_;  // why `auto` does not try it
  bool eal_started_ = false;
  std::optional<PacketPool> small_pool_;
  std::optional<PacketPool> jumbo_pool_;
  std::vector<std::unique_ptr<Port>> tunnel_;  // one for each worker
  std::string tunnel_reason_;                  // why this driver
  int tunnel_index_ = 0;
  uint16_t tunnel_mtu_ = 0;
  std::unique_ptr<host::IngressGuard> guard_;
  std::unique_ptr<Uplink> uplink_;
  std::unique_ptr<LanSide> lan_;
  std::unique_ptr<Handoff> handoff_;  // where there are several workers
  std::vector<std::unique_ptr<WorkerThread>> workers_;
};

// How many workers the settings ask for where so many CPUs are allowed.
uint32_t WorkersWanted(const config::Config& config, size_t cpus);
// Whether each keeps to a CPU of its own.
bool PinsWorkers(const config::Config& config, size_t cpus);

// The findings of preflight for these settings.
std::vector<Finding> CheckHost(const config::Config& config);

}  // namespace lwt
