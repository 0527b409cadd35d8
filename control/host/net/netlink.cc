#include "control/host/net/netlink.h"

#include <absl/strings/str_cat.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>

#include "control/host/net/netlink_attributes.h"
#include "control/host/net/netlink_parse.h"

namespace lwt::host {
namespace {

// Enough for every request here and aligned for the kernel's structs.
class Message {
 public:
  template <typename T>
  Message(uint16_t type, uint16_t flags, const T& body) {
    header_ = mnl_nlmsg_put_header(buffer_.data());
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(mnl_nlmsg_put_extra_header(header_, sizeof(T)), &body,
                sizeof(T));
  }
  void Put(uint16_t type, const IpAddress& address) {
    mnl_attr_put(header_, type, address.size(), address.bytes.data());
  }
  void Put(uint16_t type, uint32_t value) {
    mnl_attr_put_u32(header_, type, value);
  }
  void Put(uint16_t type, uint8_t value) {
    mnl_attr_put_u8(header_, type, value);
  }
  // In network byte order, as ports are.
  void PutPort(uint16_t type, uint16_t port) {
    mnl_attr_put_u16(header_, type, htons(port));
  }
  nlmsghdr* header() { return header_; }

 private:
  alignas(NLMSG_ALIGNTO) std::array<char, 512> buffer_;
  nlmsghdr* header_;
};

// The kernel fills dump messages up to 32 KiB when it is given the room.
constexpr size_t kReceiveBytes = 32768;

uint8_t FamilyNumber(Family family) {
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

// As the kernel wants it, which has signed and unsigned indexes.
template <typename T>
T IndexAs(int ifindex) {
  return static_cast<T>(ifindex);
}

// RFC 4291 §2.5.6. Nobody beyond the link can answer to it.
bool IsOnlyLinks(const IpAddress& address) {
  return address.family == Family::kIpv6 && address.bytes[0] == 0xfe &&
         (address.bytes[1] & 0xc0) == 0x80;
}

absl::Status Named(const absl::Status& status, const std::string& what) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(what, ": ", std::string(status.message())));
}

IpAddress LastOf(const IpPrefix& network) {
  IpAddress last = network.Network();
  for (size_t bit = network.length; bit < last.size() * 8; ++bit) {
    last.bytes[bit / 8] |= static_cast<uint8_t>(0x80u >> bit % 8);
  }
  return last;
}

absl::Status CheckPrefix(const IpPrefix& prefix) {
  if (prefix.length <= prefix.address.size() * 8) return absl::OkStatus();
  return absl::InvalidArgumentError("prefix length beyond the address's bits");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Netlink>> Netlink::Open() {
  absl::StatusOr<std::unique_ptr<NetlinkSocket>> socket = NetlinkSocket::Open();
  if (!socket.ok()) return socket.status();
  return Over(*std::move(socket));
}

std::unique_ptr<Netlink> Netlink::Over(std::unique_ptr<NetlinkSocket> socket) {
  return std::unique_ptr<Netlink>(new Netlink(std::move(socket)));
}

Netlink::Netlink(std::unique_ptr<NetlinkSocket> socket)
    : socket_(std::move(socket)) {}

Netlink::~Netlink() = default;

absl::Status Netlink::Exchange(nlmsghdr* request, const Take& take) {
  const uint32_t sequence = ++sequence_;
  kernel_error_ = 0;
  interrupted_ = false;
  const bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (!dump) request->nlmsg_flags |= NLM_F_ACK;
  request->nlmsg_seq = sequence;
  const absl::Status sent = socket_->Send(*request);
  if (!sent.ok()) return sent;
  std::vector<uint8_t> buffer(kReceiveBytes);
  while (true) {
    const absl::StatusOr<size_t> size = socket_->Receive(buffer);
    if (!size.ok()) return size.status();
    Bytes rest(buffer.data(), *size);
    while (const auto message = TakeMessage(rest)) {
      const auto header = ReadStruct<nlmsghdr>(*message);
      // An answer to an earlier request that timed out.
      if (header->nlmsg_seq != sequence) continue;
      interrupted_ |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      const uint16_t type = MessageType(*message);
      if (type != NLMSG_ERROR && type != NLMSG_DONE) {
        take(*message);
        continue;
      }
      // Both carry an errno, negative, or 0 for success.
      const auto error = BodyOf<int32_t>(*message);
      if (error && *error >= 0) return absl::OkStatus();
      kernel_error_ = error ? -*error : EBADMSG;
      return absl::ErrnoToStatus(kernel_error_, "the kernel says");
    }
  }
}

// What changes while the kernel lists it may be left out, or come twice: it
// says so, and is asked again. Where changes never end the last list has to do:
// whoever follows them looks again anyway.
template <typename Result>
absl::Status Netlink::List(nlmsghdr* request, Result& result,
                           const Take& take) {
  absl::Status status;
  for (int round = 0; round < kListRounds; ++round) {
    result = Result();
    status = Exchange(request, take);
    if (!status.ok() || !interrupted_) break;
  }
  return status;
}

absl::StatusOr<std::vector<Link>> Netlink::Links() {
  Message request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  std::vector<Link> links;
  const absl::Status status = List(request.header(), links, [&](Bytes message) {
    if (auto link = ParseLink(message)) links.push_back(std::move(*link));
  });
  if (!status.ok()) return Named(status, "listing the links");
  return links;
}

absl::StatusOr<Link> Netlink::LinkByName(std::string_view name) {
  const std::string text(name);
  const absl::Status missing =
      absl::NotFoundError(absl::StrCat("no network interface is named ", text));
  if (text.empty() || text.size() >= IFNAMSIZ) return missing;
  Message request(RTM_GETLINK, 0, ifinfomsg{});
  mnl_attr_put_strz(request.header(), IFLA_IFNAME, text.c_str());
  std::optional<Link> link;
  const absl::Status status = Exchange(
      request.header(), [&](Bytes message) { link = ParseLink(message); });
  if (Said(ENODEV)) return missing;
  if (!status.ok()) return Named(status, absl::StrCat("interface ", text));
  if (!link) return missing;
  return *link;
}

absl::StatusOr<Link> Netlink::LinkByIndex(int ifindex) {
  Message request(RTM_GETLINK, 0, ifinfomsg{.ifi_index = ifindex});
  std::optional<Link> link;
  const absl::Status status = Exchange(
      request.header(), [&](Bytes message) { link = ParseLink(message); });
  const std::string name = absl::StrCat("network interface number ", ifindex);
  if (Said(ENODEV) || (status.ok() && !link)) {
    return absl::NotFoundError(absl::StrCat("no ", name));
  }
  if (!status.ok()) return Named(status, name);
  return *link;
}

absl::StatusOr<std::vector<InterfaceAddress>> Netlink::Addresses() {
  return AddressesOf(0);
}

absl::StatusOr<std::vector<InterfaceAddress>> Netlink::AddressesOf(
    int ifindex) {
  Message request(RTM_GETADDR, NLM_F_DUMP,
                  ifaddrmsg{.ifa_index = IndexAs<uint32_t>(ifindex)});
  std::vector<InterfaceAddress> addresses;
  const absl::Status status =
      List(request.header(), addresses, [&](Bytes message) {
        auto address = ParseAddress(message);
        // A kernel without strict checking gives those of all links.
        if (address && (ifindex == 0 || address->ifindex == ifindex)) {
          addresses.push_back(*address);
        }
      });
  if (!status.ok()) return Named(status, "listing the addresses");
  return addresses;
}

absl::Status Netlink::AskRoute(const RouteQuery& query, uint32_t flags,
                               const Take& take) {
  const IpAddress& to = query.destination;
  const auto bits = [](const IpAddress& address) {
    return static_cast<uint8_t>(address.size() * 8);
  };
  Message request(
      RTM_GETROUTE, 0,
      rtmsg{.rtm_family = FamilyNumber(to.family),
            .rtm_dst_len = bits(to),
            .rtm_src_len = query.source ? bits(*query.source) : uint8_t{0},
            .rtm_flags = flags});
  request.Put(RTA_DST, to);
  if (query.source) request.Put(RTA_SRC, *query.source);
  if (query.out_ifindex != 0) {
    request.Put(RTA_OIF, IndexAs<uint32_t>(query.out_ifindex));
  }
  if (query.protocol != 0) request.Put(RTA_IP_PROTO, query.protocol);
  if (query.source_port != 0) {
    request.PutPort(RTA_SPORT, query.source_port);
  }
  if (query.destination_port != 0) {
    request.PutPort(RTA_DPORT, query.destination_port);
  }
  return Exchange(request.header(), take);
}

absl::StatusOr<Route> Netlink::RouteTo(const RouteQuery& query) {
  std::optional<RouteMessage> answer;
  absl::Status status =
      AskRoute(query, 0, [&](Bytes message) { answer = ParseRoute(message); });
  if (status.ok() && query.out_ifindex != 0) {
    // Where no route matches, the kernel finds none that it could show.
    status = AskRoute(query, RTM_F_FIB_MATCH, [](Bytes) {});
  }
  const std::string what =
      absl::StrCat("no route to ", ToString(query.destination));
  if (!status.ok()) {
    return absl::NotFoundError(
        absl::StrCat(what, ": ", std::string(status.message())));
  }
  if (!answer || !answer->usable) return absl::NotFoundError(what);
  Route route = answer->route;
  if (!answer->has_source && query.source) {
    route.source = *query.source;
  } else if (!answer->has_source) {
    return absl::NotFoundError(absl::StrCat(
        what, ": interface number ", route.ifindex,
        " has no address to send from; give it one with `ip address add`"));
  }
  if (IsOnlyLinks(route.source) && !IsOnlyLinks(query.destination)) {
    return absl::NotFoundError(absl::StrCat(
        what, ": interface number ", route.ifindex,
        " has no address yet but the link's own ", ToString(route.source)));
  }
  if (route.mtu == 0) {
    const auto link = LinkByIndex(route.ifindex);
    if (!link.ok()) return link.status();
    route.mtu = link->mtu;
  }
  return route;
}

absl::StatusOr<Netlink::Match> Netlink::MatchFor(const IpAddress& destination) {
  std::optional<RouteMessage> match;
  absl::Status status =
      AskRoute({.destination = destination}, RTM_F_FIB_MATCH,
               [&](Bytes message) { match = ParseRoute(message); });
  if (status.ok() && match) {
    return Match{match->route.ifindex, match->destination_length};
  }
  return absl::NotFoundError(absl::StrCat("no route to ", ToString(destination),
                                          ": ", std::string(status.message())));
}

absl::StatusOr<int> Netlink::LinkBeside(RouteQuery query, int except) {
  const auto links = Links();
  if (!links.ok()) return links.status();
  std::optional<RouteMessage> best;
  int found = 0;
  for (const Link& link : *links) {
    if (!link.up || link.loopback || link.index == except) continue;
    query.out_ifindex = link.index;
    std::optional<RouteMessage> match;
    const absl::Status status =
        AskRoute(query, RTM_F_FIB_MATCH,
                 [&](Bytes message) { match = ParseRoute(message); });
    if (!status.ok() || !match || !match->usable) continue;
    const bool better =
        !best || match->destination_length > best->destination_length ||
        (match->destination_length == best->destination_length &&
         match->priority < best->priority);
    if (!better) continue;
    best = match;
    found = link.index;
  }
  if (best) return found;
  return absl::NotFoundError(absl::StrCat(
      "no route to ", ToString(query.destination), " beside the tunnel"));
}

absl::StatusOr<std::optional<int>> Netlink::DefaultRouteLink(Family family,
                                                             int except) {
  Message request(RTM_GETROUTE, NLM_F_DUMP,
                  rtmsg{.rtm_family = FamilyNumber(family)});
  std::optional<RouteMessage> best;
  const absl::Status status = List(request.header(), best, [&](Bytes message) {
    const auto route = ParseRoute(message);
    if (!route || !route->usable || route->destination_length != 0 ||
        route->table != RT_TABLE_MAIN || route->route.ifindex == except ||
        route->family != FamilyNumber(family)) {
      return;
    }
    if (!best || route->priority < best->priority) best = route;
  });
  if (!status.ok()) return Named(status, "listing the routes");
  if (!best) return std::optional<int>();
  return std::optional<int>(best->route.ifindex);
}

absl::StatusOr<std::vector<IpPrefix>> Netlink::NetworksRouted(Family family,
                                                              int except) {
  Message request(RTM_GETROUTE, NLM_F_DUMP,
                  rtmsg{.rtm_family = FamilyNumber(family)});
  std::vector<IpPrefix> networks;
  const absl::Status status =
      List(request.header(), networks, [&](Bytes message) {
        const auto route = ParseRoute(message);
        if (!route || !route->usable || !route->destination ||
            route->destination_length == 0 || route->table != RT_TABLE_MAIN ||
            (except != 0 && route->route.ifindex == except) ||
            route->family != FamilyNumber(family)) {
          return;
        }
        networks.push_back({*route->destination, route->destination_length});
      });
  if (!status.ok()) return Named(status, "listing the routes");
  return networks;
}

absl::StatusOr<Neighbour> Netlink::NeighbourOf(int ifindex,
                                               const IpAddress& address) {
  Message request(RTM_GETNEIGH, 0,
                  ndmsg{.ndm_family = FamilyNumber(address.family),
                        .ndm_ifindex = ifindex});
  request.Put(NDA_DST, address);
  Neighbour neighbour{.ifindex = ifindex, .address = address};
  const absl::Status status = Exchange(request.header(), [&](Bytes message) {
    if (auto found = ParseNeighbour(message)) neighbour = *found;
  });
  if (status.ok() || Said(ENOENT)) {
    return neighbour;
  }
  return Named(status, absl::StrCat("neighbour ", ToString(address),
                                    " on interface number ", ifindex));
}

absl::StatusOr<std::vector<Neighbour>> Netlink::NeighboursOf(int ifindex) {
  Message request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{});
  request.Put(NDA_IFINDEX, IndexAs<uint32_t>(ifindex));
  std::vector<Neighbour> neighbours;
  const absl::Status status =
      List(request.header(), neighbours, [&](Bytes message) {
        const auto neighbour = ParseNeighbour(message);
        // A kernel without strict checking gives those of all links.
        if (neighbour && neighbour->ifindex == ifindex) {
          neighbours.push_back(*neighbour);
        }
      });
  if (!status.ok()) return Named(status, "listing the neighbours");
  return neighbours;
}

absl::Status Netlink::RefreshNeighbour(int ifindex, const IpAddress& address) {
  const absl::StatusOr<Neighbour> now = NeighbourOf(ifindex, address);
  if (now.ok() && !now->dynamic()) return absl::OkStatus();
  Message request(RTM_NEWNEIGH, NLM_F_CREATE,
                  ndmsg{.ndm_family = FamilyNumber(address.family),
                        .ndm_ifindex = ifindex,
                        .ndm_state = NUD_NONE,
                        .ndm_flags = NTF_USE});
  request.Put(NDA_DST, address);
  return Named(Exchange(request.header(), [](Bytes) {}),
               absl::StrCat("refreshing the neighbour ", ToString(address),
                            " on interface number ", ifindex));
}

absl::Status Netlink::SetLinkUp(int ifindex, bool up) {
  Message request(RTM_NEWLINK, 0,
                  ifinfomsg{.ifi_index = ifindex,
                            .ifi_flags = up ? unsigned{IFF_UP} : 0u,
                            .ifi_change = IFF_UP});
  return Named(
      Exchange(request.header(), [](Bytes) {}),
      absl::StrCat("setting interface number ", ifindex, up ? " up" : " down"));
}

absl::Status Netlink::SetLinkMtu(int ifindex, uint32_t mtu) {
  Message request(RTM_NEWLINK, 0, ifinfomsg{.ifi_index = ifindex});
  request.Put(IFLA_MTU, mtu);
  return Named(Exchange(request.header(), [](Bytes) {}),
               absl::StrCat("setting the MTU of interface number ", ifindex,
                            " to ", mtu));
}

absl::Status Netlink::AddAddress(int ifindex, const IpPrefix& prefix) {
  const std::string what = absl::StrCat("adding ", ToString(prefix),
                                        " to interface number ", ifindex);
  if (auto status = CheckPrefix(prefix); !status.ok()) {
    return Named(status, what);
  }
  const bool ipv6 = prefix.address.family == Family::kIpv6;
  Message request(
      RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
      ifaddrmsg{.ifa_family = FamilyNumber(prefix.address.family),
                .ifa_prefixlen = prefix.length,
                .ifa_flags = static_cast<uint8_t>(ipv6 ? IFA_F_NODAD : 0),
                .ifa_scope = RT_SCOPE_UNIVERSE,
                .ifa_index = IndexAs<uint32_t>(ifindex)});
  request.Put(IFA_LOCAL, prefix.address);
  request.Put(IFA_ADDRESS, prefix.address);
  const absl::Status status = Exchange(request.header(), [](Bytes) {});
  if (Said(EEXIST)) return absl::OkStatus();
  if (status.code() == absl::StatusCode::kPermissionDenied && ipv6) {
    return Named(status, absl::StrCat(what,
                                      " (where IPv6 is off, `sysctl -w "
                                      "net.ipv6.conf.all.disable_ipv6=0` "
                                      "switches it on)"));
  }
  return Named(status, what);
}

absl::Status Netlink::RemoveAddress(int ifindex, const IpPrefix& prefix) {
  Message request(RTM_DELADDR, 0,
                  ifaddrmsg{.ifa_family = FamilyNumber(prefix.address.family),
                            .ifa_prefixlen = prefix.length,
                            .ifa_flags = 0,
                            .ifa_scope = RT_SCOPE_UNIVERSE,
                            .ifa_index = IndexAs<uint32_t>(ifindex)});
  request.Put(IFA_LOCAL, prefix.address);
  request.Put(IFA_ADDRESS, prefix.address);
  const absl::Status status = Exchange(request.header(), [](Bytes) {});
  if (Said(EADDRNOTAVAIL)) return absl::OkStatus();
  return Named(status, absl::StrCat("taking ", ToString(prefix),
                                    " from interface number ", ifindex));
}

absl::Status Netlink::ChangeRoute(uint16_t type, uint16_t flags, int ifindex,
                                  const IpPrefix& network) {
  if (auto status = CheckPrefix(network); !status.ok()) return status;
  const bool ipv4 = network.address.family == Family::kIpv4;
  Message request(type, flags,
                  rtmsg{.rtm_family = FamilyNumber(network.address.family),
                        .rtm_dst_len = network.length,
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_protocol = kRouteProtocol,
                        .rtm_scope = static_cast<uint8_t>(
                            ipv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
                        .rtm_type = RTN_UNICAST});
  request.Put(RTA_DST, network.Network());
  request.Put(RTA_OIF, IndexAs<uint32_t>(ifindex));
  request.Put(RTA_PRIORITY, kRouteMetric);
  return Exchange(request.header(), [](Bytes) {});
}

// The kernel's look-up, since its table may have a million routes. Of both ends
// of the network: a longer route may lead one of them elsewhere by right, and
// would hide what becomes of the rest.
bool Netlink::LeadsElsewhere(int ifindex, const IpPrefix& network) {
  bool nowhere = true;
  for (const IpAddress& end : {network.Network(), LastOf(network)}) {
    std::optional<RouteMessage> match;
    const absl::Status status =
        AskRoute({.destination = end}, RTM_F_FIB_MATCH,
                 [&](Bytes message) { match = ParseRoute(message); });
    if (status.ok() && match && match->destination_length == network.length &&
        match->route.ifindex != ifindex) {
      return true;
    }
    // What a route of the types blackhole, unreachable and prohibit says.
    nowhere = nowhere && !status.ok() &&
              (Said(EINVAL) || Said(EHOSTUNREACH) || Said(EACCES));
  }
  return nowhere;
}

absl::StatusOr<std::vector<IpPrefix>> Netlink::OwnRoutes(int ifindex) {
  std::vector<IpPrefix> networks;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Message request(RTM_GETROUTE, NLM_F_DUMP,
                    rtmsg{.rtm_family = FamilyNumber(family)});
    std::vector<IpPrefix> of_family;
    const auto take = [&](Bytes message) {
      const auto route = ParseRoute(message);
      if (!route || route->route.ifindex != ifindex ||
          route->table != RT_TABLE_MAIN || route->protocol != kRouteProtocol ||
          route->family != FamilyNumber(family)) {
        return;
      }
      of_family.push_back({*route->destination, route->destination_length});
    };
    const absl::Status status = List(request.header(), of_family, take);
    if (!status.ok()) return Named(status, "listing the routes");
    networks.insert(networks.end(), of_family.begin(), of_family.end());
  }
  return networks;
}

absl::Status Netlink::AddRoute(int ifindex, const IpPrefix& network) {
  const absl::Status status =
      ChangeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, network);
  const bool there = Said(EEXIST);
  if ((status.ok() || there) && LeadsElsewhere(ifindex, network)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "another route leads to ", ToString(network),
        " already; `ip route show` names it, and it is the one that counts: "
        "remove it, or the network from the settings"));
  }
  if (there) {
    return absl::AlreadyExistsError(
        absl::StrCat("a route leads to ", ToString(network), " already"));
  }
  return Named(status, absl::StrCat("routing ", ToString(network),
                                    " to interface number ", ifindex));
}

absl::Status Netlink::RemoveRoute(int ifindex, const IpPrefix& network) {
  const absl::Status status = ChangeRoute(RTM_DELROUTE, 0, ifindex, network);
  const std::string what =
      absl::StrCat("removing the route of ", ToString(network),
                   " to interface number ", ifindex);
  return Said(ESRCH) ? absl::NotFoundError(what) : Named(status, what);
}

}  // namespace lwt::host
