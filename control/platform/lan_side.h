// The gateway's side towards a LAN port: the port and what keeps the kernel off
// the frames it takes, neighbours followed and published.
//
// Made by the platform before its workers, which use the ports; Start publishes
// to them. Control thread.
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
#include "control/host/guard/owner_table.h"
#include "control/host/net/lan_keeper.h"
#include "control/host/net/netlink.h"
#include "control/loop/component.h"
#include "control/workers/flow_owners.h"
#include "dataplane/worker.h"
#include "drivers/ports/af_packet.h"

namespace lwt {

class LanSide final : public loop::Component, public peer::FlowOwner {
 public:
  struct Context {
    const config::Config& config;
    std::string tunnel_device;
    host::Netlink& netlink;
    const host::Link& uplink;
    const loop::Log& log;
    uint16_t workers = 1;
    rte_mempool* small_pool = nullptr;
    rte_mempool* jumbo_pool = nullptr;
  };

  // The port that `lan_port` names. The error says what is wrong with it.
  static absl::StatusOr<std::unique_ptr<LanSide>> Open(const Context& context);
  LanSide(const LanSide&) = delete;
  LanSide& operator=(const LanSide&) = delete;

  // Of a worker; the twin is null where the kernel sees the port.
  Port* port(uint16_t worker) const;
  Port* twin() { return twin_.empty() ? nullptr : twin_.front().get(); }
  uint16_t port_count() const;

  // `workers` outlive this object.
  void Start(std::span<const std::unique_ptr<WorkerThread>> workers);
  void OnHostChanges(const host::HostChanges& changes,
                     uint64_t now_us) override;
  absl::Status Check(const config::Config& config) const override;
  // Networks behind peers: what comes by the port for them is taken from the
  // kernel, and what for others no longer.
  absl::Status SetNetworks(const std::vector<IpPrefix>& networks);
  // kNoNeighbour.
  void OnEvent(const Event& event, uint64_t now_us) override;
  void OnTimer(uint64_t now_us) override { keeper_->OnTimer(now_us); }
  uint64_t NextDeadline() const override { return keeper_->next_deadline_us(); }

  const host::Link& link() const { return keeper_->link(); }
  const LanTable* table() const { return keeper_->table(); }
  const PortInfo& info() const { return port(0)->info(); }
  const std::string& reason() const { return reason_; }

 private:
  explicit LanSide(const Context& context) : log_(context.log) {}

  absl::Status OpenInterface(const Context& context);
  absl::Status OpenMemif(const Context& context);
  absl::Status Follow(const Context& context, const host::Link& link);
  void Publish(absl::StatusOr<std::shared_ptr<const LanTable>> table);

  const loop::Log& log_;
  std::unique_ptr<host::OwnerTable> guard_;        // of an interface
  std::unique_ptr<AfPacketUplink> packet_socket_;  // the same
  std::unique_ptr<Port> memif_;
  std::vector<std::unique_ptr<Port>> twin_;  // of the memif
  std::optional<host::LanKeeper> keeper_;
  std::string reason_;
  std::vector<IpPrefix> own_;       // tunnel addresses
  std::vector<IpPrefix> networks_;  // behind peers
  std::span<const std::unique_ptr<WorkerThread>> workers_;
};

// What leads to peers: our tunnel's own networks, and those behind them.
RoutedSet RoutedBy(const std::vector<IpPrefix>& own,
                   const std::vector<IpPrefix>& networks);
// By the settings alone.
RoutedSet RoutedBy(const config::Config& config);

}  // namespace lwt
