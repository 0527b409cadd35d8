#include "control/host/net/tunnel_keeper.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lwt::host {
namespace {

constexpr uint64_t kLookEveryUs = 1'000'000;

template <typename T>
bool Contains(const std::vector<T>& items, const T& item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

}  // namespace

absl::Status TunnelKeeper::SetNetworks(std::vector<IpPrefix> networks) {
  std::vector<std::string> failures;
  const auto note = [&](const absl::Status& status) {
    if (!status.ok()) failures.emplace_back(status.message());
  };
  for (const IpPrefix& network : spec_.networks) {
    if (Contains(networks, network)) continue;
    const absl::Status status = netlink_.RemoveRoute(spec_.ifindex, network);
    if (!absl::IsNotFound(status)) note(status);
  }
  std::vector<IpPrefix> refused;
  for (const IpPrefix& network : networks) {
    if (Contains(spec_.networks, network) && !Contains(refused_, network)) {
      continue;
    }
    const absl::Status status = netlink_.AddRoute(spec_.ifindex, network);
    if (!status.ok()) refused.push_back(network);
    note(status);
  }
  refused_ = std::move(refused);
  spec_.networks = std::move(networks);
  if (failures.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrJoin(failures, "; "));
}

void TunnelKeeper::HostChanged(const HostChanges& changes, uint64_t now_us) {
  const bool ours = changes.everything || changes.routes ||
                    Contains(changes.links, spec_.ifindex) ||
                    Contains(changes.addresses, spec_.ifindex);
  if (!ours || look_at_us_ != UINT64_MAX) return;
  look_at_us_ = std::max(now_us, looked_us_ + kLookEveryUs);
}

void TunnelKeeper::Said::Note(const absl::Status& status,
                              std::string when_fixed) {
  if (status.ok()) {
    fixed.push_back(std::move(when_fixed));
  } else {
    failures.insert(std::string(status.message()));
  }
}

std::vector<std::string> TunnelKeeper::OnTimer(uint64_t now_us) {
  if (now_us < look_at_us_) return {};
  look_at_us_ = UINT64_MAX;
  looked_us_ = now_us;
  const auto link = netlink_.LinkByIndex(spec_.ifindex);
  lost_ = absl::IsNotFound(link.status());
  if (!link.ok()) return {};
  Said said;
  BringUp(*link, said);
  RaiseMtu(*link, said);
  BringAddresses(said);
  BringNetworks(said);
  std::set_difference(said.failures.begin(), said.failures.end(),
                      failures_.begin(), failures_.end(),
                      std::back_inserter(said.fixed));
  failures_ = std::move(said.failures);
  return std::move(said.fixed);
}

void TunnelKeeper::BringUp(const Link& link, Said& said) {
  if (link.up) return;
  said.Note(netlink_.SetLinkUp(spec_.ifindex, true),
            absl::StrCat("the tunnel device ", link.name,
                         " was taken down: it is up again"));
}

void TunnelKeeper::RaiseMtu(const Link& link, Said& said) {
  if (!mtu_.TooSmall(link.mtu)) return;
  said.Note(mtu_.Restore(),
            absl::StrCat("the MTU of ", link.name, " was ", link.mtu,
                         ", too small for its addresses: it is ", mtu_.mtu(),
                         " again"));
}

void TunnelKeeper::BringAddresses(Said& said) {
  const auto present = netlink_.AddressesOf(spec_.ifindex);
  if (!present.ok()) return;
  for (const IpPrefix& wanted : spec_.addresses) {
    const bool there = std::any_of(
        present->begin(), present->end(),
        [&](const InterfaceAddress& each) { return each.prefix == wanted; });
    if (there) continue;
    said.Note(netlink_.AddAddress(spec_.ifindex, wanted),
              absl::StrCat("the tunnel address ", ToString(wanted),
                           " was gone: it is back"));
  }
}

// That there is a route already is the rule.
void TunnelKeeper::BringNetworks(Said& said) {
  for (const IpPrefix& network : spec_.networks) {
    if (!netlink_.AddRoute(spec_.ifindex, network).ok()) continue;
    std::erase(refused_, network);
    said.fixed.push_back(absl::StrCat("the route to ", ToString(network),
                                      " was gone: it is back"));
  }
}

}  // namespace lwt::host
