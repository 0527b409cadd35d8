// Questions to the kernel about links, addresses, routes and neighbours, and
// the few changes made to the tunnel device. rtnetlink(7) by libmnl.
//
// Owned by the control thread. Each call is one request and its answer: the
// kernel answers at once, so a call costs some microseconds, a dump of a large
// host some hundred. The socket stays in the network namespace it was made in.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/host/net/netlink_socket.h"
#include "control/host/net/netlink_types.h"
#include "drivers/ip_endpoint.h"

struct nlmsghdr;

namespace lwt::host {

// By these our routes are known from those of others. The kernel takes any
// other route to the same network before ours, since theirs have lower metrics
// (1024 is the default of IPv6).
inline constexpr uint8_t kRouteProtocol = 108;
inline constexpr uint32_t kRouteMetric = 2048;

class Netlink {
 public:
  static absl::StatusOr<std::unique_ptr<Netlink>> Open();
  static std::unique_ptr<Netlink> Over(std::unique_ptr<NetlinkSocket> socket);
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  absl::StatusOr<std::vector<Link>> Links();
  // NotFound when there is none.
  absl::StatusOr<Link> LinkByName(std::string_view name);
  absl::StatusOr<Link> LinkByIndex(int ifindex);

  // All addresses of this host, IPv4 and IPv6.
  absl::StatusOr<std::vector<InterfaceAddress>> Addresses();
  absl::StatusOr<std::vector<InterfaceAddress>> AddressesOf(int ifindex);

  // How the kernel would send to `destination`, by its policy rules too.
  // NotFound with the kernel's reason when it would not.
  absl::StatusOr<Route> RouteTo(const IpAddress& destination) {
    return RouteTo(RouteQuery{.destination = destination});
  }
  // With `out_ifindex` there has to be a route: that the kernel takes every
  // address for a neighbour on a device that is named is no way.
  absl::StatusOr<Route> RouteTo(const RouteQuery& query);

  // Of all links but `except`, the one by which the kernel would send were that
  // one not there: that of the longest prefix, then the lowest metric. NotFound
  // when there is none. One question for each link that is up.
  absl::StatusOr<int> LinkBeside(RouteQuery query, int except);

  // The route that the kernel would take to an address. NotFound, with the
  // kernel's reason, where it would not send there.
  struct Match {
    int ifindex = 0;
    uint8_t length = 0;  // of its network; 0: a default route
  };
  absl::StatusOr<Match> MatchFor(const IpAddress& destination);

  // The link of the default route with the lowest metric, `except` aside;
  // nullopt if there is none.
  absl::StatusOr<std::optional<int>> DefaultRouteLink(Family family,
                                                      int except = 0);

  // Networks of the main table that lead somewhere, default routes and those of
  // the link `except` aside.
  absl::StatusOr<std::vector<IpPrefix>> NetworksRouted(Family family,
                                                       int except = 0);

  // kUnknown and no MAC when the kernel has no entry.
  absl::StatusOr<Neighbour> NeighbourOf(int ifindex, const IpAddress& address);

  // All of a link, IPv4 and IPv6, whatever their state.
  absl::StatusOr<std::vector<Neighbour>> NeighboursOf(int ifindex);

  // Makes the kernel use the entry as if it had sent a packet: it is created,
  // resolved or confirmed (NTF_USE). Raw frames alone never do that. An entry
  // that is not dynamic stays as it is, and the kernel would not keep it so: it
  // takes NTF_USE for the end of a permanent one.
  absl::Status RefreshNeighbour(int ifindex, const IpAddress& address);

  absl::Status SetLinkUp(int ifindex, bool up);
  absl::Status SetLinkMtu(int ifindex, uint32_t mtu);
  // Adds the address with its connected route; an IPv6 address is usable at
  // once (no duplicate detection). OK when the link has it already.
  absl::Status AddAddress(int ifindex, const IpPrefix& prefix);
  // One that is not there is fine.
  absl::Status RemoveAddress(int ifindex, const IpPrefix& prefix);
  // Leads a network to a link without a gateway, by a route of our own.
  // AlreadyExists when that is there, or when another's leads elsewhere, which
  // the kernel goes by as long as it is there.
  absl::Status AddRoute(int ifindex, const IpPrefix& network);
  // Takes ours back, and nobody else's. NotFound when there is none.
  absl::Status RemoveRoute(int ifindex, const IpPrefix& network);
  // Networks that routes of ours lead to a link.
  absl::StatusOr<std::vector<IpPrefix>> OwnRoutes(int ifindex);

 private:
  explicit Netlink(std::unique_ptr<NetlinkSocket> socket);
  // What the kernel answers to a look-up, `flags` (RTM_F_*) aside nothing set.
  absl::Status AskRoute(
      const RouteQuery& query, uint32_t flags,
      const std::function<void(std::span<const uint8_t>)>& take);
  bool LeadsElsewhere(int ifindex, const IpPrefix& network);
  absl::Status ChangeRoute(uint16_t type, uint16_t flags, int ifindex,
                           const IpPrefix& network);

  // Sends the request, a complete message except for its sequence number, and
  // hands each answer to `take`, until the kernel's end or error.
  using Take = std::function<void(std::span<const uint8_t> message)>;
  absl::Status Exchange(nlmsghdr* request, const Take& take);
  // The same of a list, which `take` adds to `result`: once more while it
  // changes, kListRounds times at most.
  template <typename Result>
  absl::Status List(nlmsghdr* request, Result& result, const Take& take);
  // Whether the kernel answered the last request by this errno. The codes of
  // absl::Status are fewer: ENOENT and ENODEV share one, as do EEXIST and
  // EADDRNOTAVAIL.
  bool Said(int error) const { return kernel_error_ == error; }

  static constexpr int kListRounds = 8;

  const std::unique_ptr<NetlinkSocket> socket_;
  uint32_t sequence_ = 0;
  int kernel_error_ = 0;      // 0: none
  bool interrupted_ = false;  // the last list, by a change of what it lists
};

}  // namespace lwt::host
