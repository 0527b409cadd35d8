// Whether all that has no way of its own goes to the hub (docs/networks.md,
// "All traffic through the tunnel"): by both halves of each family, so the
// host's default routes stay as they are.
//
// From the first connection on, since a hub's name may have to be looked up
// before. Sans-IO. Owned by ClientSession. Control thread.
#pragma once

#include <vector>

#include "control/config/config.h"
#include "drivers/ip_endpoint.h"

namespace lwt::peer {

class DefaultRoute {
 public:
  // `own` are the tunnel addresses.
  DefaultRoute(const std::vector<IpPrefix>& own,
               const config::RoutingConfig& settings);

  // They are others from now on.
  void SetTunnel(const std::vector<IpPrefix>& own);
  // A hub answered; none of them does; other settings. True where what leads
  // to the tunnel is something else now.
  [[nodiscard]] bool OnUp() { return Change(wanted_, when_down_, true); }
  [[nodiscard]] bool OnDown() { return Change(wanted_, when_down_, false); }
  [[nodiscard]] bool Apply(const config::RoutingConfig& settings) {
    return Change(settings.default_route, settings.when_down, up_);
  }

  bool leads() const {
    return wanted_ && met_ && (up_ || when_down_ == config::WhenDown::kKeep);
  }
  // Of the families that the tunnel has.
  std::vector<IpPrefix> ToHub() const;
  // Of the other one: it is refused at the device, else it would go beside the
  // tunnel.
  std::vector<IpPrefix> Nowhere() const;

 private:
  bool Change(bool wanted, config::WhenDown when_down, bool up);

  std::vector<IpPrefix> to_hub_;
  std::vector<IpPrefix> nowhere_;
  bool wanted_;
  config::WhenDown when_down_;
  bool up_ = false;
  bool met_ = false;  // a hub, ever
};

}  // namespace lwt::peer
