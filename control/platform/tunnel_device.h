// The device that inner packets come from and go to: its ports, addresses,
// routes and MTU. The device goes with its last port.
//
// Owned by Platform. Control thread; workers use the ports.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/host/net/netlink.h"
#include "control/host/net/tunnel_mtu.h"
#include "drivers/ip_endpoint.h"
#include "drivers/port.h"

struct rte_mempool;

namespace lwt::platform {

class TunnelDevice {
 public:
  struct Spec {
    std::string name;
    config::TunnelPort driver = config::TunnelPort::kAuto;
    std::function<host::TunnelMtu::Bounds()> mtu;
    uint16_t queues = 1;  // one for each worker
    rte_mempool* small_pool = nullptr;
    rte_mempool* jumbo_pool = nullptr;
    std::vector<IpPrefix> addresses;  // of this host, with their networks
    std::vector<IpPrefix> networks;   // that peers lead to
  };

  // Leaves the device up. `auto` falls back to the TAP driver where the kernel
  // lacks something, not where the settings are wrong. `netlink` outlives this.
  static absl::StatusOr<std::unique_ptr<TunnelDevice>> Open(
      const Spec& spec, host::Netlink& netlink);
  TunnelDevice(const TunnelDevice&) = delete;
  TunnelDevice& operator=(const TunnelDevice&) = delete;

  host::TunnelMtu& mtu() { return *mtu_; }
  const host::TunnelMtu& mtu() const { return *mtu_; }
  int ifindex() const { return ifindex_; }
  Port& port(size_t worker) { return *ports_[worker]; }
  const Port& port(size_t worker) const { return *ports_[worker]; }
  // Why this driver, for the operator.
  const std::string& reason() const { return reason_; }

 private:
  explicit TunnelDevice(host::Netlink& netlink) : netlink_(netlink) {}

  absl::Status OpenPorts(const Spec& spec);
  absl::Status Configure(const Spec& spec);
  absl::Status ForgetRoutes();

  host::Netlink& netlink_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::string reason_;
  int ifindex_ = 0;
  std::optional<host::TunnelMtu> mtu_;
};

}  // namespace lwt::platform
