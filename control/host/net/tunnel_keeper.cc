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

TunnelKeeper::~TunnelKeeper() {
  // A device that is somebody else's to make outlives us, with the addresses
  // that we started with.
  (void)SetNetworks({});
  for (const IpPrefix& address : addresses_) {
    if (Contains(configured_, address)) continue;
    (void)netlink_.RemoveAddress(ifindex_, address);
  }
}

absl::Status TunnelKeeper::SetNetworks(std::vector<IpPrefix> networks) {
  std::vector<std::string> failures;
  const auto note = [&](const absl::Status& status) {
    if (!status.ok()) failures.emplace_back(status.message());
  };
  const NetworkSet wanted(networks.begin(), networks.end());
  for (const IpPrefix& network : networks_) {
    if (wanted.contains(network)) continue;
    const absl::Status status = netlink_.RemoveRoute(ifindex_, network);
    if (!absl::IsNotFound(status)) note(status);
  }
  NetworkSet refused;
  for (const IpPrefix& network : wanted) {
    if (networks_.contains(network) && !refused_.contains(network)) continue;
    // Ours may be there, behind another's that has gone since.
    if (refused_.contains(network)) {
      (void)netlink_.RemoveRoute(ifindex_, network);
    }
    const absl::Status status = netlink_.AddRoute(ifindex_, network);
    if (!status.ok()) refused.insert(network);
    note(status);
  }
  refused_ = std::move(refused);
  networks_ = wanted;
  if (failures.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrJoin(failures, "; "));
}

absl::Status TunnelKeeper::SetAddresses(std::vector<IpPrefix> addresses) {
  absl::Status first;
  bool removed = false;
  for (const IpPrefix& old : addresses_) {
    if (!Contains(addresses, old)) {
      first.Update(netlink_.RemoveAddress(ifindex_, old));
      removed = true;
    }
  }
  for (const IpPrefix& wanted : addresses) {
    if (!Contains(addresses_, wanted)) {
      first.Update(netlink_.AddAddress(ifindex_, wanted));
    }
  }
  addresses_ = std::move(addresses);
  // With the last address of a family the kernel takes its routes away.
  if (removed) {
    Said said;
    BringNetworks(said);
  }
  return first;
}

void TunnelKeeper::HostChanged(const HostChanges& changes, uint64_t now_us) {
  const bool ours = changes.everything || changes.routes ||
                    Contains(changes.links, ifindex_) ||
                    Contains(changes.addresses, ifindex_);
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
  const auto link = netlink_.LinkByIndex(ifindex_);
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
  said.Note(netlink_.SetLinkUp(ifindex_, true),
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
  const auto present = netlink_.AddressesOf(ifindex_);
  if (!present.ok()) return;
  for (const IpPrefix& wanted : addresses_) {
    const bool there = std::any_of(
        present->begin(), present->end(),
        [&](const InterfaceAddress& each) { return each.prefix == wanted; });
    if (there) continue;
    said.Note(netlink_.AddAddress(ifindex_, wanted),
              absl::StrCat("the tunnel address ", ToString(wanted),
                           " was gone: it is back"));
  }
}

void TunnelKeeper::BringNetworks(Said& said) {
  const auto present = netlink_.OwnRoutes(ifindex_);
  if (!present.ok()) return;
  const NetworkSet there(present->begin(), present->end());
  for (const IpPrefix& network : networks_) {
    if (there.contains(network)) continue;
    if (!netlink_.AddRoute(ifindex_, network).ok()) continue;
    refused_.erase(network);
    said.fixed.push_back(absl::StrCat("the route to ", ToString(network),
                                      " was gone: it is back"));
  }
}

}  // namespace lwt::host
