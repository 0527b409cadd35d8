#include "control/host/net/overlap.h"

#include <absl/strings/str_cat.h>

#include <vector>

namespace lwt::host {
namespace {

constexpr uint8_t kLinkScope = 253;  // RT_SCOPE_LINK
constexpr uint8_t kHostScope = 254;  // RT_SCOPE_HOST

bool Share(const IpPrefix& one, const IpPrefix& other) {
  return one.Contains(other.address) || other.Contains(one.address);
}

bool IsSingle(const IpPrefix& prefix) {
  return prefix.length == prefix.address.size() * 8;
}

IpPrefix NetworkOf(const IpPrefix& prefix) {
  return {prefix.Network(), prefix.length};
}

std::string WhatHelps(const IpPrefix& tunnel) {
  const char* const rare = tunnel.address.family == Family::kIpv4
                               ? "10.86.27.0/24"
                               : "fd5a:1c3e:7b09::/64";
  return absl::StrCat(
      "; give the tunnel another network on all sides, one that is rare, such "
      "as ",
      rare);
}

}  // namespace

std::string SharedWithInterface(Netlink& netlink,
                                std::span<const IpPrefix> tunnel, int own) {
  const auto addresses = netlink.Addresses();
  if (!addresses.ok()) return "";
  for (const IpPrefix& each : tunnel) {
    if (IsSingle(each)) continue;
    for (const InterfaceAddress& address : *addresses) {
      if (address.ifindex == own || address.scope == kLinkScope ||
          address.scope == kHostScope ||
          address.prefix.address.family != each.address.family ||
          !Share(each, address.prefix)) {
        continue;
      }
      const auto link = netlink.LinkByIndex(address.ifindex);
      if (!link.ok() || link->loopback) continue;
      return absl::StrCat("the tunnel's network ", ToString(NetworkOf(each)),
                          " shares addresses with ",
                          ToString(NetworkOf(address.prefix)), " of ",
                          link->name, WhatHelps(each));
    }
  }
  return "";
}

absl::Status CheckNetworkIsFree(Netlink& netlink,
                                std::span<const IpPrefix> tunnel) {
  const std::string shared = SharedWithInterface(netlink, tunnel, 0);
  if (!shared.empty()) return absl::InvalidArgumentError(shared);
  for (const IpPrefix& each : tunnel) {
    if (IsSingle(each)) continue;
    const auto routes = netlink.NetworksRouted(each.address.family);
    if (!routes.ok()) return absl::OkStatus();
    for (const IpPrefix& routed : *routes) {
      if (routed.length < each.length || !each.Contains(routed.address)) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "a route leads ", ToString(routed), " of the tunnel's network ",
          ToString(NetworkOf(each)), " elsewhere: ip route show ",
          ToString(routed), WhatHelps(each)));
    }
  }
  return absl::OkStatus();
}

}  // namespace lwt::host
