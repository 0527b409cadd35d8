// Keeps the link header that frames to each remote address need.
//
// The kernel stays the master of routes and neighbours; this class asks it,
// follows its changes, and makes it keep the entries alive that only raw
// frames use (NTF_USE every 20 s and at once on a suspect path). Owned by the
// control thread, which feeds it time and changes. Many addresses have few next
// hops: what is asked of the kernel about a neighbour is asked once for all of
// them, and of routes no turn looks up more than kPortion. A turn with nothing
// due costs the same however many addresses there are.
#pragma once

#include <absl/status/status.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "control/host/net/address_order.h"
#include "control/host/net/netlink.h"
#include "control/host/net/netlink_types.h"
#include "drivers/ip_endpoint.h"

namespace lwt::host {

// An Ethernet header ready to be copied in front of an IP packet, or nothing
// on a link without one.
struct LinkHeader {
  std::array<uint8_t, 14> bytes{};
  uint8_t size = 0;
  std::span<const uint8_t> view() const { return {bytes.data(), size}; }
  friend bool operator==(const LinkHeader&, const LinkHeader&) = default;
};

struct NextHop {
  Route route;
  LinkHeader header;
  // Frames can be sent: the route goes by the uplink, and the neighbour's
  // link-layer address is known (the last known one when it fails now).
  bool ready = false;
  // It does not answer now, or the link has no carrier; with `ready` frames are
  // sent to where it was last.
  bool silent = false;
  std::string problem;  // why not ready, for the operator
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

class NeighbourKeeper {
 public:
  static constexpr uint64_t kRefreshPeriodUs = 20'000'000;
  // While an address has no link-layer address yet, or does not answer.
  static constexpr uint64_t kRetryPeriodUs = 1'000'000;
  // A route is looked up again after so long, without a notice that it changed:
  // there is none of a redirect. For each address at least kRouteShareUs more,
  // and without a way to it, kRetryPeriodUs and kRetryShareUs.
  static constexpr uint64_t kRoutePeriodUs = 60'000'000;
  static constexpr uint64_t kRouteShareUs = 20'000;
  static constexpr uint64_t kRetryShareUs = 1'000;
  static constexpr size_t kPortion = 64;

  // Called from within the functions below, whenever the next hop of a remote
  // address is not what was reported last. Must not call back into the keeper.
  using OnChange =
      std::function<void(const IpAddress& remote, const NextHop& hop)>;

  // How the kernel leads to a remote address.
  using FindRoute = std::function<absl::StatusOr<Route>(const IpAddress&)>;

  // `netlink` outlives the keeper. `uplink` is an Ethernet link or one without
  // link header (Link::link_header_size). Without `find_route` the kernel is
  // asked for the address alone.
  NeighbourKeeper(Netlink& netlink, const Link& uplink, OnChange on_change,
                  FindRoute find_route = {});

  // Counted: as many Remove as Add. Reports the next hop when it is known at
  // once; else resolution is on its way and the change comes by HostChanged.
  void Add(const IpAddress& remote, uint64_t now_us);
  void Remove(const IpAddress& remote);
  // The path to `remote` may be dead: has the neighbour confirmed now.
  void Suspect(const IpAddress& remote, uint64_t now_us);

  // Frames leave by another link from now on, or by the same one under another
  // name: all next hops are looked up there.
  void SetUplink(const Link& uplink, uint64_t now_us);
  void HostChanged(const HostChanges& changes, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  // When OnTimer wants to be called; UINT64_MAX: not at all.
  uint64_t next_deadline_us() const;

  // nullptr for an address not added.
  const NextHop* Find(const IpAddress& remote) const;
  const Link& uplink() const { return uplink_; }

 private:
  using Due = std::multimap<uint64_t, IpAddress>;
  struct Entry {
    IpAddress remote;
    uint32_t references = 1;
    NextHop hop;
    std::optional<IpAddress> via;  // the neighbour that it goes by
    Due::iterator due;             // its place in routes_due_
  };
  // What is known of a neighbour on the uplink.
  struct Way {
    std::optional<MacAddress> mac;  // the last one
    bool silent = false;
    std::string problem;  // while there is no `mac`
    friend bool operator==(const Way&, const Way&) = default;
  };
  struct Hop {
    IpAddress address;
    Way way;
    std::set<IpAddress, AddressOrder> remotes;  // that go by it
    uint64_t sweep = 0;                         // that asked for it last
    Due::iterator due;                          // its place in hops_due_
  };

  Entry* Lookup(const IpAddress& remote);
  Hop& HopOf(const IpAddress& address, uint64_t now_us);
  void Leave(Entry& entry);
  void Reroute(Entry& entry, uint64_t now_us);
  NextHop Compose(const Entry& entry, absl::StatusOr<Route> route) const;
  void LookAtHop(Hop& hop, uint64_t now_us);
  void Ask(Hop& hop, uint64_t now_us);
  void BeginSweep(uint64_t now_us);
  void Sweep(uint64_t now_us);
  bool UplinkChanged(const HostChanges& changes);
  bool has_neighbours() const {
    return uplink_.link_header_size().value_or(0) != 0 && !uplink_.loopback;
  }

  Netlink& netlink_;
  Link uplink_;
  const OnChange on_change_;
  const FindRoute find_route_;
  std::map<IpAddress, Entry, AddressOrder> entries_;
  std::map<IpAddress, Hop, AddressOrder> hops_;
  Due routes_due_;  // when each entry's route is to be looked up again
  Due hops_due_;    // when each neighbour is to be asked
  // A change that may concern all goes round: how many entries it has yet to
  // look at, and behind which it is.
  uint64_t sweep_ = 0;
  size_t sweep_left_ = 0;
  std::optional<IpAddress> sweep_after_;
};

}  // namespace lwt::host
