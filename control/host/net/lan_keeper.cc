#include "control/host/net/lan_keeper.h"

#include <absl/strings/str_cat.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

namespace lwt::host {
namespace {

// The network that overlaps `prefix`, or null.
const IpPrefix* OverlapIn(const std::vector<IpPrefix>& networks,
                          const IpPrefix& prefix) {
  const auto at = std::find_if(networks.begin(), networks.end(),
                               [&](const IpPrefix& network) {
                                 return network.Contains(prefix.Network()) ||
                                        prefix.Contains(network.Network());
                               });
  return at == networks.end() ? nullptr : &*at;
}

bool Names(const std::vector<int>& links, int ifindex) {
  return std::find(links.begin(), links.end(), ifindex) != links.end();
}

}  // namespace

LanKeeper::LanKeeper(Netlink& netlink, const Link& link, RoutedSet routed)
    : netlink_(netlink), link_(link), routed_(std::move(routed)) {}

absl::StatusOr<LanTable::Spec> LanKeeper::ReadSpec() {
  auto link = netlink_.LinkByIndex(link_.index);
  if (!link.ok()) return link.status();
  link_ = *std::move(link);
  LanTable::Spec spec;
  spec.mac = link_.mac.value_or(MacAddress{});
  spec.mtu = static_cast<uint16_t>(std::min(link_.mtu, 65535u));
  spec.tunnel_addresses = routed_.kept;
  const auto addresses = netlink_.AddressesOf(link_.index);
  if (!addresses.ok()) return addresses.status();
  conflicts_.clear();
  for (const InterfaceAddress& own : *addresses) {
    if (own.scope != RT_SCOPE_UNIVERSE) continue;
    if (const IpPrefix* routed = OverlapIn(routed_.networks, own.prefix)) {
      conflicts_.push_back(
          absl::StrCat(ToString(own.prefix), " overlaps ", ToString(*routed)));
      continue;
    }
    spec.addresses.push_back(own.prefix);
  }
  auto neighbours = netlink_.NeighboursOf(link_.index);
  if (!neighbours.ok()) return neighbours.status();
  for (const Neighbour& neighbour : *neighbours) {
    if (!neighbour.usable()) continue;
    spec.neighbours.push_back({neighbour.address, *neighbour.mac});
  }
  // The kernel lists them in no order.
  std::sort(spec.neighbours.begin(), spec.neighbours.end(),
            [](const LanTable::Neighbour& a, const LanTable::Neighbour& b) {
              return a.address.bytes < b.address.bytes;
            });
  return spec;
}

absl::StatusOr<std::shared_ptr<const LanTable>> LanKeeper::Read() {
  auto spec = ReadSpec();
  if (!spec.ok()) return spec.status();
  if (table_ != nullptr) {
    if (table_->spec() == *spec) return nullptr;
    const std::vector<IpAddress> used = table_->TakeUsed();
    used_.insert(used_.end(), used.begin(), used.end());
  }
  table_ = std::make_shared<const LanTable>(*std::move(spec));
  return table_;
}

absl::StatusOr<std::vector<std::string>> LanKeeper::ConflictsWith(
    const RoutedSet& routed) const {
  const auto addresses = netlink_.AddressesOf(link_.index);
  if (!addresses.ok()) return addresses.status();
  std::vector<std::string> conflicts;
  for (const InterfaceAddress& own : *addresses) {
    if (own.scope != RT_SCOPE_UNIVERSE) continue;
    if (const IpPrefix* network = OverlapIn(routed.networks, own.prefix)) {
      conflicts.push_back(
          absl::StrCat(ToString(own.prefix), " overlaps ", ToString(*network)));
    }
  }
  return conflicts;
}

bool LanKeeper::Concerns(const HostChanges& changes) const {
  return changes.everything || Names(changes.links, link_.index) ||
         Names(changes.addresses, link_.index) ||
         std::any_of(changes.neighbours.begin(), changes.neighbours.end(),
                     [this](const Neighbour& neighbour) {
                       return neighbour.ifindex == link_.index;
                     });
}

absl::StatusOr<std::shared_ptr<const LanTable>> LanKeeper::OnHostChanges(
    const HostChanges& changes) {
  if (!Concerns(changes)) return nullptr;
  return Read();
}

void LanKeeper::Resolve(const IpAddress& address) {
  // It fails when the link goes down meanwhile, which comes as a change.
  netlink_.RefreshNeighbour(link_.index, address).IgnoreError();
}

void LanKeeper::OnTimer(uint64_t now_us) {
  if (now_us < refresh_at_us_) return;
  refresh_at_us_ = now_us + kRefreshPeriodUs;
  std::vector<IpAddress> used = std::exchange(used_, {});
  if (table_ != nullptr) {
    for (const IpAddress& address : table_->TakeUsed()) used.push_back(address);
  }
  const auto less = [](const IpAddress& a, const IpAddress& b) {
    return a.bytes < b.bytes;
  };
  std::sort(used.begin(), used.end(), less);
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (const IpAddress& address : used) Resolve(address);
}

}  // namespace lwt::host
