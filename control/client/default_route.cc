#include "control/client/default_route.h"

#include <algorithm>

#include "control/config/networks.h"

namespace lwt::peer {

DefaultRoute::DefaultRoute(const std::vector<IpPrefix>& own,
                           const config::RoutingConfig& settings)
    : wanted_(settings.default_route), when_down_(settings.when_down) {
  SetTunnel(own);
}

void DefaultRoute::SetTunnel(const std::vector<IpPrefix>& own) {
  to_hub_.clear();
  nowhere_.clear();
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool inside = std::any_of(
        own.begin(), own.end(),
        [&](const IpPrefix& each) { return each.address.family == family; });
    std::vector<IpPrefix>& place = inside ? to_hub_ : nowhere_;
    for (const IpPrefix& half : config::HalvesOf(family)) place.push_back(half);
  }
}

std::vector<IpPrefix> DefaultRoute::ToHub() const {
  return leads() ? to_hub_ : std::vector<IpPrefix>();
}

std::vector<IpPrefix> DefaultRoute::Nowhere() const {
  return leads() ? nowhere_ : std::vector<IpPrefix>();
}

bool DefaultRoute::Change(bool wanted, config::WhenDown when_down, bool up) {
  const bool before = leads();
  wanted_ = wanted;
  when_down_ = when_down;
  up_ = up;
  met_ = met_ || up;
  return leads() != before;
}

}  // namespace lwt::peer
