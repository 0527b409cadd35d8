// What a gateway stands on: its place on the host, packet memory, the uplink,
// the tunnel device, the LAN port and the workers. Each is a step, an object of
// its own; they are brought up in order and taken down in reverse, also where
// one fails on the way.
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
#include "control/base/log.h"
#include "control/config/config.h"
#include "control/host/net/netlink.h"
#include "control/host/net/netlink_monitor.h"
#include "control/host/net/persona.h"
#include "control/host/net/uplink_choice.h"
#include "control/platform/host_place.h"
#include "control/platform/lan_side.h"
#include "control/platform/packet_memory.h"
#include "control/platform/tunnel_device.h"
#include "control/platform/uplink_attachment.h"
#include "control/platform/uplink_set.h"
#include "control/platform/worker_plan.h"
#include "control/platform/worker_set.h"
#include "dataplane/worker.h"
#include "drivers/preflight.h"

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

  // The largest inner MTU for an outer family, as the configuration limits it,
  // and no less than the tunnel addresses need.
  uint16_t MaxInnerMtu(Family family) const;
  host::TunnelMtu& tunnel_mtu() { return tunnel_->mtu(); }
  const host::TunnelMtu& tunnel_mtu() const { return tunnel_->mtu(); }
  // Reads the uplink's links again after a change; see UplinkAttachment.
  // `gone`: of links that went since.
  void RefreshLinks(std::span<const int> gone = {}) {
    uplink_->RefreshLinks(*netlink_, gone);
  }
  // Whether the uplink is what was attached to; false also where there is none.
  bool has_uplink() const { return uplink_->first().holds(); }
  // The number of its interface among those that are served.
  uint8_t leg() const { return uplink_->first().leg(); }
  // The interfaces by which frames come in and go out.
  const platform::UplinkSet& uplinks() const { return *uplink_; }
  // What went wrong at the uplink's ports, at those that were left, too.
  PortReading ReadUplinkCounters() const;

  // Which interface is the uplink by the settings and the host as it is now;
  // `remote` is the hub's address where a client knows it.
  absl::StatusOr<host::UplinkChoice> ChooseUplink(
      const std::optional<IpAddress>& remote);
  // Of a hub, the other interfaces by which it may be reached; `first` is the
  // index of the uplink.
  std::vector<host::UplinkChoice> ChooseOthers(int first);
  // Whether these and no others are served now.
  bool ServesOthers(std::span<const host::UplinkChoice> others) const;
  // Which interfaces are too many to be served; empty: none.
  const std::string& left_out() const { return left_out_; }
  // What was said at the start for want of an uplink; empty: there was one.
  const std::string& lack() const { return lack_; }
  // What the uplink is.
  const host::UplinkChoice& choice() const { return uplink_->first().choice(); }
  // The kernel's way for our outer flows, its rules by protocol, port, source
  // and device included. Where the settings name an interface it leads out
  // there, and it never leads into the tunnel. `local` where it is known.
  absl::StatusOr<host::Route> RouteTo(
      const IpAddress& remote, const std::optional<Endpoint>& local = {});
  // The same of a flow that goes by an interface already: where the kernel
  // would take another one, its way by this one, if it has any.
  absl::StatusOr<host::Route> RouteBy(int ifindex, const IpAddress& remote,
                                      const Endpoint& local);

  // The local ends of our flows: guarded, and steered to us.
  absl::Status SetEndpoints(std::span<const Endpoint> endpoints);
  // Moves the workers to another interface, of which no flow has to be closed.
  // The port before is let go once no worker uses it (Settle), its guard by
  // DropGuards. On an error all stays as it was.
  // `others` are served besides, and those that are already go on. False: these
  // are served already, or those that are not cannot be.
  absl::StatusOr<bool> ReplaceUplink(
      host::UplinkChoice choice,
      std::span<const host::UplinkChoice> others = {});
  // True when no replacement is under way any more.
  bool Settle();
  // Nothing comes to our endpoints any more at the interfaces that were left.
  void DropGuards();

  const host::InstancePaths& paths() const { return place_->paths(); }
  int control_socket() const { return place_->control_socket(); }
  host::Netlink& netlink() { return *netlink_; }
  host::NetlinkMonitor& monitor() { return *monitor_; }
  const host::Link& link() const { return uplink_->first().link(); }
  // Whose TCP the outer flows show.
  Persona persona() const { return persona_; }
  int tunnel_index() const { return tunnel_->ifindex(); }
  const Port& tunnel(size_t worker = 0) const { return tunnel_->port(worker); }
  const std::string& tunnel_reason() const { return tunnel_->reason(); }
  const Uplink& uplink() const { return uplink_->port(); }
  LanSide* lan() { return lan_.get(); }  // null without a LAN port
  const LanSide* lan() const { return lan_.get(); }
  // At least one.
  // That each worker has.
  uint32_t worker_lanes() const;
  std::span<const std::unique_ptr<WorkerThread>> workers() const {
    return workers_->workers();
  }
  const MemoryPlan& memory() const { return memory_->plan(); }
  const PacketPool& small_pool() const { return memory_->small(); }
  const PacketPool& jumbo_pool() const { return memory_->jumbo(); }

 private:
  Platform(const config::Config& config, const loop::Log& log)
      : config_(config), log_(log) {}

  // Guards of interfaces that were left, at most: who moves to and fro between
  // more is answered by a kernel at times.
  static constexpr size_t kGuards = 4;

  host::RouteQuery QueryFor(const IpAddress& remote,
                            const std::optional<Endpoint>& local) const;
  absl::StatusOr<host::Route> AskTwice(host::RouteQuery query);
  absl::Status ClaimPlace();
  absl::Status CheckNetwork(const std::optional<IpAddress>& remote);
  // Null: none could be chosen, and one will be later.
  absl::Status StartMemory(const host::Link* link);
  absl::Status OpenUplink(absl::StatusOr<host::UplinkChoice> choice);
  absl::Status OpenTunnel();
  absl::Status OpenLan();
  absl::Status StartWorkers();
  // What an attachment's port is asked for, except for interface and driver.
  UplinkSpec PortSpec(uint32_t ports, uint8_t leg) const;
  absl::StatusOr<host::UplinkChoice> ChooseForListener(int own);
  void SayLeftOut(std::span<const host::UplinkChoice> others);
  absl::StatusOr<std::shared_ptr<platform::UplinkAttachment>> AttachFirst(
      host::UplinkChoice choice);
  void AttachOthers(std::span<const host::UplinkChoice> others,
                    platform::UplinkSet::Attachments& next);
  absl::Status TakeUplinks(platform::UplinkSet::Attachments attachments);
  platform::MemoryUse MemoryFor(uint32_t xdp_queues) const;
  WorkerOptions CommonOptions() const;
  uint16_t FirstPathMtu() const;
  uint16_t FirstDeviceMtu(Family family) const;

  const config::Config& config_;
  const loop::Log& log_;

  // In the order they are brought up, so that they go in reverse.
  std::unique_ptr<platform::HostPlace> place_;
  std::unique_ptr<host::Netlink> netlink_;
  std::unique_ptr<host::NetlinkMonitor> monitor_;
  platform::WorkerPlan plan_;
  bool may_use_xdp_ = false;
  std::string no_xdp_;          // why `auto` does not try it
  uint32_t other_uplinks_ = 0;  // that there is memory for
  uint8_t last_leg_ = 0;        // the number that was given last
  std::string left_out_;
  std::string refused_;
  std::string lack_;
  Persona persona_ = Persona::kLinux618;
  std::unique_ptr<platform::PacketMemory> memory_;
  // Left by the workers: guards, and ports with frames in their own memory.
  std::vector<std::shared_ptr<platform::UplinkAttachment>> retired_;
  std::unique_ptr<platform::UplinkSet> leaving_;  // may be in use by workers
  PortReading left_;  // of ports that are not in use any more
  std::unique_ptr<platform::UplinkSet> uplink_;
  std::unique_ptr<platform::TunnelDevice> tunnel_;
  std::unique_ptr<LanSide> lan_;
  std::unique_ptr<platform::WorkerSet> workers_;
  std::vector<Endpoint> endpoints_;
};

// The findings of preflight for these settings.
std::vector<Finding> CheckHost(const config::Config& config);

}  // namespace lwt
