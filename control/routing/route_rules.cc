#include "control/routing/route_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/config/networks.h"

namespace lwt::routing {
namespace {

using config::Acceptance;

// RFC 1918, RFC 6598 and RFC 4193.
const std::vector<IpPrefix>& PrivateNetworks() {
  static const auto* networks = new std::vector<IpPrefix>{
      *ParseIpPrefix("10.0.0.0/8"), *ParseIpPrefix("172.16.0.0/12"),
      *ParseIpPrefix("192.168.0.0/16"), *ParseIpPrefix("100.64.0.0/10"),
      *ParseIpPrefix("fc00::/7")};
  return *networks;
}

// Shorter ones are a large part of the Internet.
uint8_t LeastLength(Family family) { return family == Family::kIpv4 ? 8 : 16; }

bool IsReserved(const IpPrefix& network) {
  return network.length < LeastLength(network.address.family) ||
         network.Network() != network.address ||
         config::IsNeverRouted(network.address);
}

bool AnyOverlaps(std::span<const IpPrefix> networks, const IpPrefix& one) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpPrefix& each) { return Overlap(each, one); });
}

}  // namespace

void Underlay::Remove(const IpAddress& address) {
  const auto end = ends_.find(address);
  if (end != ends_.end() && --end->second == 0) ends_.erase(end);
}

bool Underlay::AnyIn(const IpPrefix& network) const {
  const auto first = ends_.lower_bound(network.Network());
  return first != ends_.end() && network.Contains(first->first);
}

bool Overlap(const IpPrefix& a, const IpPrefix& b) {
  return a.Contains(b.Network()) || b.Contains(a.Network());
}

bool Within(const IpPrefix& inner, const IpPrefix& outer) {
  return inner.length >= outer.length && outer.Contains(inner.address);
}

std::optional<RouteCode> Forbidden(const IpPrefix& network,
                                   const Surroundings& around) {
  if (network.length == 0) return RouteCode::kDefaultRoute;
  if (AnyOverlaps(around.tunnel, network)) return RouteCode::kTunnelNetwork;
  if (IsReserved(network)) return RouteCode::kReserved;
  if (around.underlay.AnyIn(network)) return RouteCode::kUnderlay;
  if (AnyOverlaps(around.here, network) || AnyOverlaps(around.own, network)) {
    return RouteCode::kConnected;
  }
  return std::nullopt;
}

bool Accepts(const std::vector<Acceptance>& accept, const IpPrefix& network) {
  const auto takes = [&](const IpPrefix& outer) {
    return Within(network, outer);
  };
  return std::any_of(accept.begin(), accept.end(), [&](const Acceptance& each) {
    switch (each.what) {
      case Acceptance::What::kPrivate:
        return std::any_of(PrivateNetworks().begin(), PrivateNetworks().end(),
                           takes);
      case Acceptance::What::kOff:
        return false;
      case Acceptance::What::kAll:
        return true;
      case Acceptance::What::kNetwork:
        return takes(each.network);
    }
    return false;
  });
}

std::string Why(RouteCode code) {
  switch (code) {
    case RouteCode::kDefaultRoute:
      return "it is the default route";
    case RouteCode::kTunnelNetwork:
      return "it overlaps the tunnel's own network";
    case RouteCode::kUnderlay:
      return "the tunnel's own frames go there";
    case RouteCode::kConnected:
      return "it overlaps a network that is there already";
    case RouteCode::kAnothers:
      return "it belongs to another client";
    case RouteCode::kNotAccepted:
      return "accept_routes does not take it";
    case RouteCode::kTooMany:
      return config::Concat("it is one of too many: ", kMostRoutes,
                            " networks, ", kMostLengths, " prefix lengths");
    case RouteCode::kReserved:
      return "it is reserved, too large, or no network";
  }
  return config::Concat("code ", static_cast<unsigned>(code));
}

}  // namespace lwt::routing
