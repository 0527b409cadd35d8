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
  if (uplink.index != uplink_.index) {
    // Who answers there is not known by what was known here, also of those that
    // the sweep comes to later.
    for (auto& [address, hop] : hops_) hop.way = {};
    for (auto& [remote, entry] : entries_) {
      entry.hop = {.problem = "not asked yet by this interface"};
    }
  }
  uplink_ = uplink;
  BeginSweep(now_us);
}

void NeighbourKeeper::Add(const IpAddress& remote, uint64_t now_us) {
  if (Entry* entry = Lookup(remote)) {
    ++entry->references;
    return;
  }
  Entry& entry = entries_[remote];
  entry.remote = remote;
  entry.hop.problem = "not asked yet";
  entry.due = routes_due_.emplace(now_us, remote);
  // A sweep that meets it has none less to look at.
  if (sweep_left_ > 0) ++sweep_left_;
  Reroute(entry, now_us);
}

void NeighbourKeeper::Remove(const IpAddress& remote) {
  Entry* entry = Lookup(remote);
  if (entry == nullptr || --entry->references > 0) return;
  Leave(*entry);
  routes_due_.erase(entry->due);
  entries_.erase(remote);
}

void NeighbourKeeper::Suspect(const IpAddress& remote, uint64_t now_us) {
  Entry* const entry = Lookup(remote);
  if (entry == nullptr) return;
  Reroute(*entry, now_us);
  if (!entry->via) return;
  Hop& hop = hops_.at(*entry->via);
  LookAtHop(hop, now_us);
  Ask(hop, now_us);
}

void NeighbourKeeper::HostChanged(const HostChanges& changes, uint64_t now_us) {
  if (UplinkChanged(changes) || changes.routes || changes.everything ||
      !changes.addresses.empty()) {
    BeginSweep(now_us);
  }
  for (const Neighbour& neighbour : changes.neighbours) {
    if (neighbour.ifindex != uplink_.index) continue;
    const auto hop = hops_.find(neighbour.address);
    if (hop != hops_.end()) LookAtHop(hop->second, now_us);
  }
}

void NeighbourKeeper::OnTimer(uint64_t now_us) {
  if (sweep_left_ > 0) Sweep(now_us);
  for (size_t i = 0;
       i < kPortion && !hops_due_.empty() && hops_due_.begin()->first <= now_us;
       ++i) {
    Hop& hop = hops_.at(hops_due_.begin()->second);
    LookAtHop(hop, now_us);
    Ask(hop, now_us);
  }
  for (size_t i = 0; i < kPortion && !routes_due_.empty() &&
                     routes_due_.begin()->first <= now_us;
       ++i) {
    Reroute(entries_.at(routes_due_.begin()->second), now_us);
  }
}

uint64_t NeighbourKeeper::next_deadline_us() const {
  if (sweep_left_ > 0) return 0;
  uint64_t next = UINT64_MAX;
  for (const Due* due : {&hops_due_, &routes_due_}) {
    if (!due->empty()) next = std::min(next, due->begin()->first);
  }
  return next;
}

const NextHop* NeighbourKeeper::Find(const IpAddress& remote) const {
  const auto found = entries_.find(remote);
  return found == entries_.end() ? nullptr : &found->second.hop;
}

NeighbourKeeper::Entry* NeighbourKeeper::Lookup(const IpAddress& remote) {
  const auto found = entries_.find(remote);
  return found == entries_.end() ? nullptr : &found->second;
}

// One that comes while another goes round has all looked at once more.
void NeighbourKeeper::BeginSweep(uint64_t now_us) {
  ++sweep_;
  sweep_left_ = entries_.size();
  Sweep(now_us);
}

void NeighbourKeeper::Sweep(uint64_t now_us) {
  for (size_t i = 0; i < kPortion && sweep_left_ > 0; ++i, --sweep_left_) {
    auto at =
        sweep_after_ ? entries_.upper_bound(*sweep_after_) : entries_.begin();
    if (at == entries_.end()) at = entries_.begin();
    if (at == entries_.end()) {
      sweep_left_ = 0;
      return;
    }
    Entry& entry = at->second;
    sweep_after_ = entry.remote;
    Reroute(entry, now_us);
    if (!entry.via) continue;
    Hop& hop = hops_.at(*entry.via);
    if (std::exchange(hop.sweep, sweep_) == sweep_) continue;
    LookAtHop(hop, now_us);
    if (!hop.way.mac || hop.way.silent) Ask(hop, now_us);
  }
}

// What is new is asked for: it may be unknown to the kernel until it is used.
NeighbourKeeper::Hop& NeighbourKeeper::HopOf(const IpAddress& address,
                                             uint64_t now_us) {
  const auto [found, is_new] = hops_.try_emplace(address);
  Hop& hop = found->second;
  if (!is_new) return hop;
  hop.address = address;
  hop.due = hops_due_.emplace(now_us, address);
  hop.sweep = sweep_;
  LookAtHop(hop, now_us);
  Ask(hop, now_us);
  return hop;
}

void NeighbourKeeper::Leave(Entry& entry) {
  if (!entry.via) return;
  const auto hop = hops_.find(*entry.via);
  entry.via.reset();
  hop->second.remotes.erase(entry.remote);
  if (!hop->second.remotes.empty()) return;
  hops_due_.erase(hop->second.due);
  hops_.erase(hop);
}

void NeighbourKeeper::Reroute(Entry& entry, uint64_t now_us) {
  absl::StatusOr<Route> route =
      find_route_ ? find_route_(entry.remote) : netlink_.RouteTo(entry.remote);
  const bool on_uplink = route.ok() && route->ifindex == uplink_.index;
  std::optional<IpAddress> via;
  if (on_uplink && has_neighbours()) via = route->NextHop(entry.remote);
  if (via != entry.via) {
    if (via) HopOf(*via, now_us).remotes.insert(entry.remote);
    Leave(entry);
    entry.via = via;
  }
  const uint64_t count = entries_.size();
  routes_due_.erase(entry.due);
  entry.due = routes_due_.emplace(
      now_us + (on_uplink ? std::max(kRoutePeriodUs, count * kRouteShareUs)
                          : std::max(kRetryPeriodUs, count * kRetryShareUs)),
      entry.remote);
  NextHop hop = Compose(entry, std::move(route));
  if (hop == entry.hop) return;
  entry.hop = std::move(hop);
  on_change_(entry.remote, entry.hop);
}

NextHop NeighbourKeeper::Compose(const Entry& entry,
                                 absl::StatusOr<Route> route) const {
  NextHop hop;
  if (!route.ok()) {
    hop.problem = std::string(route.status().message());
    return hop;
  }
  hop.route = *std::move(route);
  if (hop.route.ifindex != uplink_.index) {
    hop.problem = absl::StrCat("the route to ", ToString(entry.remote),
                               " does not go by ", uplink_.name,
                               " but by interface number ", hop.route.ifindex);
    return hop;
  }
  hop.ready = true;
  hop.silent = !uplink_.has_carrier;
  const Family family = entry.remote.family;
  if (uplink_.link_header_size().value_or(0) == 0) return hop;
  if (uplink_.loopback) {
    hop.header = EthernetHeader({}, {}, family);
    return hop;
  }
  const Way& way = hops_.at(*entry.via).way;
  hop.silent = hop.silent || way.silent;
  if (way.mac) {
    hop.header =
        EthernetHeader(*way.mac, uplink_.mac.value_or(MacAddress{}), family);
  } else {
    hop.ready = false;
    hop.problem = way.problem;
  }
  return hop;
}

// One that the kernel forgot, and asks for again, is nothing to go by: it is
// where it was last.
void NeighbourKeeper::LookAtHop(Hop& hop, uint64_t now_us) {
  const auto neighbour = netlink_.NeighbourOf(uplink_.index, hop.address);
  Way way = hop.way;
  way.problem.clear();
  if (neighbour.ok() && neighbour->usable()) {
    way = {.mac = neighbour->mac};
  } else {
    const bool failed =
        neighbour.ok() && neighbour->state == NeighbourState::kFailed;
    way.silent = way.silent || failed;
    if (!way.mac) {
      way.problem =
          neighbour.ok()
              ? absl::StrCat("the next hop ", ToString(hop.address), " on ",
                             uplink_.name, " has not answered yet")
              : std::string(neighbour.status().message());
    }
  }
  if (way == hop.way) return;
  const bool fell_silent = way.silent && !hop.way.silent;
  hop.way = std::move(way);
  if (fell_silent) Ask(hop, now_us);
  for (const IpAddress& remote : hop.remotes) {
    Entry& entry = entries_.at(remote);
    NextHop next = Compose(entry, entry.hop.route);
    if (next == entry.hop) continue;
    entry.hop = std::move(next);
    on_change_(remote, entry.hop);
  }
}

// One that is silent is asked until it answers.
void NeighbourKeeper::Ask(Hop& hop, uint64_t now_us) {
  hops_due_.erase(hop.due);
  hop.due = hops_due_.emplace(
      now_us +
          (hop.way.mac && !hop.way.silent ? kRefreshPeriodUs : kRetryPeriodUs),
      hop.address);
  // It fails when the link goes down meanwhile, which comes as a change.
  netlink_.RefreshNeighbour(uplink_.index, hop.address).IgnoreError();
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
