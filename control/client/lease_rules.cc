#include "control/client/lease_rules.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/config/networks.h"
#include "control/config/values.h"

namespace lwt::peer {
namespace {

bool SharesWith(const IpPrefix& a, const IpPrefix& b) {
  return a.Contains(b.Network()) || b.Contains(a.Network());
}

std::string AgainstOne(const IpPrefix& leased, const IpAddress& hub,
                       const LeasedBeside& beside) {
  const bool ipv4 = leased.address.family == Family::kIpv4;
  if (!config::ReadTunnelAddress(ToString(leased)).ok() ||
      config::IsNeverRouted(leased.address)) {
    return "is no host's address";
  }
  if (leased.length < (ipv4 ? kShortestLeaseIpv4 : kShortestLeaseIpv6)) {
    return "is of a network that is too large";
  }
  if (leased.Contains(hub)) return "has the hub itself in its network";
  const auto other = std::find_if(
      beside.here.begin(), beside.here.end(),
      [&](const IpPrefix& each) { return SharesWith(each, leased); });
  if (other != beside.here.end()) {
    return "overlaps " + ToString(IpPrefix{other->Network(), other->length}) +
           ", a network of this host";
  }
  const auto routed = std::find_if(
      beside.routed.begin(), beside.routed.end(), [&](const IpPrefix& each) {
        return each.length >= leased.length && leased.Contains(each.address);
      });
  if (leased.length == leased.address.size() * 8 ||
      routed == beside.routed.end()) {
    return "";
  }
  return "has " + ToString(*routed) +
         " in its network, which a route of this host leads elsewhere";
}

}  // namespace

std::string AgainstLease(const std::vector<IpPrefix>& leased,
                         const IpAddress& hub, const LeasedBeside& beside) {
  if (!config::CheckFamilies(leased).ok()) {
    return "the hub leases two addresses of one family";
  }
  for (const IpPrefix& each : leased) {
    const std::string against = AgainstOne(each, hub, beside);
    if (against.empty()) continue;
    return config::Concat("the hub leases ", ToString(each), ", which ",
                          against);
  }
  return "";
}

}  // namespace lwt::peer
