#include "control/host/net/neighbour_keeper.h"

#include <absl/strings/str_cat.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <utility>

namespace lwt::host {
namespace {

LinkHeader EthernetHeader(const MacAddress& destination,
                          const MacAddress& source, Family family) {
  LinkHeader header;
  header.size = 14;
  auto out =
      std::copy(destination.begin(), destination.end(), header.bytes.begin());
  out = std::copy(source.begin(), source.end(), out);
  const uint16_t type = family == Family::kIpv4 ? ETH_P_IP : ETH_P_IPV6;
  *out++ = static_cast<uint8_t>(type >> 8);
  *out = static_cast<uint8_t>(type & 0xff);
  return header;
}

}  // namespace

NeighbourKeeper::NeighbourKeeper(Netlink& netlink, const Link& uplink,
                                 OnChange on_change, FindRoute find_route)
    : netlink_(netlink),
      uplink_(uplink),
      on_change_(std::move(on_change)),
      find_route_(std::move(find_route)) {}

void NeighbourKeeper::SetUplink(const Link& uplink, uint64_t now_us) {
  uplink_ = uplink;
  for (auto& [remote, entry] : entries_) {
    Update(entry, now_us);
    Refresh(entry, now_us);
  }
}

void NeighbourKeeper::Add(const IpAddress& remote, uint64_t now_us) {
  if (Entry* entry = Lookup(remote)) {
    ++entry->references;
    return;
  }
  Entry& entry = entries_[remote];
  entry.remote = remote;
  entry.due = due_.emplace(now_us, remote);
  entry.hop.problem = "not asked yet";
  Update(entry, now_us);
  Refresh(entry, now_us);
}

void NeighbourKeeper::Remove(const IpAddress& remote) {
  Entry* entry = Lookup(remote);
  if (entry == nullptr || --entry->references > 0) return;
  due_.erase(entry->due);
  entries_.erase(remote);
}

void NeighbourKeeper::Suspect(const IpAddress& remote, uint64_t now_us) {
  if (Entry* entry = Lookup(remote)) {
    Update(*entry, now_us);
    Refresh(*entry, now_us);
  }
}

void NeighbourKeeper::HostChanged(const HostChanges& changes, uint64_t now_us) {
  const bool all = UplinkChanged(changes) || changes.routes ||
                   changes.everything || !changes.addresses.empty();
  for (auto& [remote, entry] : entries_) {
    const IpAddress& hop = entry.hop.route.NextHop(entry.remote);
    const bool neighbour_changed = std::any_of(
        changes.neighbours.begin(), changes.neighbours.end(),
        [&](const Neighbour& neighbour) {
          return neighbour.ifindex == uplink_.index && neighbour.address == hop;
        });
    if (all || neighbour_changed) Update(entry, now_us);
  }
}

void NeighbourKeeper::OnTimer(uint64_t now_us) {
  while (next_deadline_us() <= now_us) {
    Entry& entry = entries_.at(due_.begin()->second);
    Update(entry, now_us);
    Refresh(entry, now_us);
  }
}

const NextHop* NeighbourKeeper::Find(const IpAddress& remote) const {
  const auto found = entries_.find(remote);
  return found == entries_.end() ? nullptr : &found->second.hop;
}

NeighbourKeeper::Entry* NeighbourKeeper::Lookup(const IpAddress& remote) {
  const auto found = entries_.find(remote);
  return found == entries_.end() ? nullptr : &found->second;
}

void NeighbourKeeper::Update(Entry& entry, uint64_t now_us) {
  NextHop hop = Resolve(entry);
  if (hop == entry.hop) return;
  const bool moved =
      hop.route.NextHop(entry.remote) != entry.hop.route.NextHop(entry.remote);
  const bool fell_silent = hop.silent && !entry.hop.silent;
  entry.hop = std::move(hop);
  // The new next hop may be unknown to the kernel until it is used, and one
  // that is silent is asked until it answers.
  if (moved || fell_silent) Refresh(entry, now_us);
  on_change_(entry.remote, entry.hop);
}

NextHop NeighbourKeeper::Resolve(const Entry& entry) {
  NextHop hop;
  const auto route =
      find_route_ ? find_route_(entry.remote) : netlink_.RouteTo(entry.remote);
  if (!route.ok()) {
    hop.problem = std::string(route.status().message());
    return hop;
  }
  hop.route = *route;
  if (route->ifindex != uplink_.index) {
    hop.problem = absl::StrCat("the route to ", ToString(entry.remote),
                               " does not go by ", uplink_.name,
                               " but by interface number ", route->ifindex);
    return hop;
  }
  hop.ready = true;
  hop.silent = !uplink_.has_carrier;
  if (uplink_.link_header_size().value_or(0) == 0) return hop;
  const Family family = entry.remote.family;
  if (uplink_.loopback) {
    hop.header = EthernetHeader({}, {}, family);
    return hop;
  }
  const IpAddress& next = route->NextHop(entry.remote);
  const auto neighbour = netlink_.NeighbourOf(uplink_.index, next);
  const MacAddress source = uplink_.mac.value_or(MacAddress{});
  if (neighbour.ok() && neighbour->usable()) {
    hop.header = EthernetHeader(*neighbour->mac, source, family);
    return hop;
  }
  // One that the kernel forgot, and asks for again, is nothing to go by.
  const bool failed =
      neighbour.ok() && neighbour->state == NeighbourState::kFailed;
  const NextHop& last = entry.hop;
  hop.silent = hop.silent || failed || last.silent;
  if (last.ready && last.header.size != 0 &&
      last.route.ifindex == uplink_.index &&
      last.route.NextHop(entry.remote) == next) {
    MacAddress destination;
    std::copy_n(last.header.bytes.begin(), destination.size(),
                destination.begin());
    hop.header = EthernetHeader(destination, source, family);
    return hop;
  }
  hop.ready = false;
  hop.problem = neighbour.ok()
                    ? absl::StrCat("the next hop ", ToString(next), " on ",
                                   uplink_.name, " has not answered yet")
                    : std::string(neighbour.status().message());
  return hop;
}

void NeighbourKeeper::Refresh(Entry& entry, uint64_t now_us) {
  due_.erase(entry.due);
  entry.due = due_.emplace(
      now_us + (entry.hop.ready && !entry.hop.silent ? kRefreshPeriodUs
                                                     : kRetryPeriodUs),
      entry.remote);
  const bool resolvable = entry.hop.route.ifindex == uplink_.index &&
                          uplink_.link_header_size().value_or(0) != 0 &&
                          !uplink_.loopback;
  if (!resolvable) return;
  const IpAddress& next = entry.hop.route.NextHop(entry.remote);
  // It fails when the link goes down meanwhile, which comes as a change.
  netlink_.RefreshNeighbour(uplink_.index, next).IgnoreError();
}

bool NeighbourKeeper::UplinkChanged(const HostChanges& changes) {
  const bool named = std::find(changes.links.begin(), changes.links.end(),
                               uplink_.index) != changes.links.end();
  if (!named && !changes.everything) return false;
  const auto link = netlink_.LinkByIndex(uplink_.index);
  if (link.ok()) uplink_ = *link;
  return true;
}

}  // namespace lwt::host
