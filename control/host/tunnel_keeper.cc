#include "control/host/tunnel_keeper.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lwt::host {
namespace {

constexpr uint64_t kLookEveryUs = 1'000'000;

bool Contains(const std::vector<int>& indexes, int index) {
  return std::find(indexes.begin(), indexes.end(), index) != indexes.end();
}

}  // namespace

void TunnelKeeper::HostChanged(const HostChanges& changes, uint64_t now_us) {
  const bool ours = changes.everything || changes.routes ||
                    Contains(changes.links, spec_.ifindex) ||
                    Contains(changes.addresses, spec_.ifindex);
  if (!ours || look_at_us_ != UINT64_MAX) return;
  look_at_us_ = std::max(now_us, looked_us_ + kLookEveryUs);
}

std::vector<std::string> TunnelKeeper::OnTimer(uint16_t mtu, uint64_t now_us) {
  std::vector<std::string> said;
  if (now_us < look_at_us_) return said;
  look_at_us_ = UINT64_MAX;
  looked_us_ = now_us;
  const auto link = netlink_.LinkByIndex(spec_.ifindex);
  // One that is down gets its addresses when it comes up, and the kernel tells.
  if (!link.ok() || !link->up) return said;
  RaiseMtu(*link, mtu, said);
  BringAddresses(said);
  BringNetworks(said);
  return said;
}

void TunnelKeeper::RaiseMtu(const Link& link, uint16_t mtu,
                            std::vector<std::string>& said) {
  if (link.mtu >= spec_.least_mtu) return;
  const absl::Status set = netlink_.SetLinkMtu(spec_.ifindex, mtu);
  said.push_back(set.ok()
                     ? absl::StrCat("the MTU of ", link.name, " was ", link.mtu,
                                    ", too small for its "
                                    "addresses: it is ",
                                    mtu, " again")
                     : std::string(set.message()));
}

void TunnelKeeper::BringAddresses(std::vector<std::string>& said) {
  const auto present = netlink_.AddressesOf(spec_.ifindex);
  if (!present.ok()) return;
  for (const IpPrefix& wanted : spec_.addresses) {
    const bool there = std::any_of(
        present->begin(), present->end(),
        [&](const InterfaceAddress& each) { return each.prefix == wanted; });
    if (there) continue;
    const absl::Status added = netlink_.AddAddress(spec_.ifindex, wanted);
    said.push_back(added.ok()
                       ? absl::StrCat("the tunnel address ", ToString(wanted),
                                      " was gone: it is back")
                       : std::string(added.message()));
  }
}

// That there is a route already is the rule.
void TunnelKeeper::BringNetworks(std::vector<std::string>& said) {
  for (const IpPrefix& network : spec_.networks) {
    if (!netlink_.AddRoute(spec_.ifindex, network).ok()) continue;
    said.push_back(absl::StrCat("the route to ", ToString(network),
                                " was gone: it is back"));
  }
}

}  // namespace lwt::host
