#include "control/host/net/netlink_parse.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>

#include "control/host/net/netlink_attributes.h"

namespace lwt::host {
namespace {

// IFF_LOWER_UP, which only linux/if.h names, and that excludes net/if.h.
constexpr unsigned kLowerUp = 1 << 16;

std::optional<MacAddress> ReadMac(Bytes value) {
  MacAddress mac;
  if (value.size() != mac.size()) return std::nullopt;
  std::copy(value.begin(), value.end(), mac.begin());
  return mac;
}

std::string ReadLinkKind(Bytes link_info) {
  while (const auto attribute = TakeAttribute(link_info)) {
    if (attribute->type == IFLA_INFO_KIND) return ReadString(attribute->value);
  }
  return "";
}

uint32_t ReadRouteMtu(Bytes metrics) {
  while (const auto attribute = TakeAttribute(metrics)) {
    if (attribute->type == RTAX_MTU) {
      return ReadU32(attribute->value).value_or(0);
    }
  }
  return 0;
}

NeighbourState StateOf(uint16_t nud) {
  switch (nud) {
    case NUD_INCOMPLETE:
      return NeighbourState::kIncomplete;
    case NUD_REACHABLE:
      return NeighbourState::kReachable;
    case NUD_STALE:
      return NeighbourState::kStale;
    case NUD_DELAY:
      return NeighbourState::kDelay;
    case NUD_PROBE:
      return NeighbourState::kProbe;
    case NUD_FAILED:
      return NeighbourState::kFailed;
    case NUD_NOARP:
      return NeighbourState::kNoArp;
    case NUD_PERMANENT:
      return NeighbourState::kPermanent;
    default:
      return NeighbourState::kUnknown;
  }
}

// A gateway of the other family (RFC 5549) is in RTA_VIA.
std::optional<IpAddress> ReadVia(Bytes value) {
  const auto family = ReadStruct<uint16_t>(value);
  if (!family) return std::nullopt;
  return ReadAddress(static_cast<uint8_t>(*family), value.subspan(2));
}

// The first hop of a multipath route stands for all.
void ReadMultipath(Bytes value, uint8_t family, RouteMessage& route) {
  const auto hop = ReadStruct<rtnexthop>(value);
  if (!hop || hop->rtnh_len < sizeof(rtnexthop) ||
      hop->rtnh_len > value.size()) {
    return;
  }
  route.route.ifindex = hop->rtnh_ifindex;
  Bytes attributes = value.first(hop->rtnh_len).subspan(sizeof(rtnexthop));
  while (const auto attribute = TakeAttribute(attributes)) {
    if (attribute->type == RTA_GATEWAY) {
      route.route.gateway = ReadAddress(family, attribute->value);
    }
  }
}

void ReadRouteAttribute(const Attribute& attribute, RouteMessage& route) {
  switch (attribute.type) {
    case RTA_DST:
      if (auto address = ReadAddress(route.family, attribute.value)) {
        route.destination = *address;
      }
      break;
    case RTA_OIF:
      route.route.ifindex =
          static_cast<int>(ReadU32(attribute.value).value_or(0));
      break;
    case RTA_PREFSRC:
      if (auto source = ReadAddress(route.family, attribute.value)) {
        route.route.source = *source;
        route.has_source = true;
      }
      break;
    case RTA_GATEWAY:
      route.route.gateway = ReadAddress(route.family, attribute.value);
      break;
    case RTA_VIA:
      route.route.gateway = ReadVia(attribute.value);
      break;
    case RTA_METRICS:
      route.route.mtu = ReadRouteMtu(attribute.value);
      break;
    case RTA_PRIORITY:
      route.priority = ReadU32(attribute.value).value_or(0);
      break;
    case RTA_MULTIPATH:
      ReadMultipath(attribute.value, route.family, route);
      break;
    default:
      break;
  }
}

void AddOnce(std::vector<int>& indexes, int index) {
  if (std::find(indexes.begin(), indexes.end(), index) == indexes.end()) {
    indexes.push_back(index);
  }
}

void AddNeighbour(std::vector<Neighbour>& list, const Neighbour& neighbour) {
  auto same = std::find_if(list.begin(), list.end(), [&](const Neighbour& n) {
    return n.ifindex == neighbour.ifindex && n.address == neighbour.address;
  });
  if (same == list.end()) {
    list.push_back(neighbour);
  } else {
    *same = neighbour;
  }
}

}  // namespace

std::optional<uint8_t> Link::link_header_size() const {
  switch (type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return 14;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_RAWIP:
      return 0;
    default:
      return std::nullopt;
  }
}

bool Neighbour::usable() const {
  return mac.has_value() && state != NeighbourState::kUnknown &&
         state != NeighbourState::kIncomplete &&
         state != NeighbourState::kFailed;
}

bool Neighbour::dynamic() const {
  return state != NeighbourState::kPermanent &&
         state != NeighbourState::kNoArp && !managed;
}

std::optional<Link> ParseLink(Bytes message) {
  const auto body = BodyOf<ifinfomsg>(message);
  // Bridge ports are announced a second time, as AF_BRIDGE.
  if (!body || body->ifi_family != AF_UNSPEC) return std::nullopt;
  Link link;
  link.index = body->ifi_index;
  link.type = body->ifi_type;
  link.up = (body->ifi_flags & IFF_UP) != 0;
  link.has_carrier = (body->ifi_flags & kLowerUp) != 0;
  link.loopback = (body->ifi_flags & IFF_LOOPBACK) != 0;
  Bytes attributes = AttributesBehind<ifinfomsg>(message);
  while (const auto attribute = TakeAttribute(attributes)) {
    switch (attribute->type) {
      case IFLA_IFNAME:
        link.name = ReadString(attribute->value);
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(ReadU32(attribute->value).value_or(0));
        break;
      case IFLA_MTU:
        link.mtu = ReadU32(attribute->value).value_or(0);
        break;
      case IFLA_ADDRESS:
        link.mac = ReadMac(attribute->value);
        break;
      case IFLA_LINKINFO:
        link.kind = ReadLinkKind(attribute->value);
        break;
      default:
        break;
    }
  }
  if (link.index <= 0 || link.name.empty()) return std::nullopt;
  return link;
}

std::optional<InterfaceAddress> ParseAddress(Bytes message) {
  const auto body = BodyOf<ifaddrmsg>(message);
  if (!body) return std::nullopt;
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  uint32_t flags = body->ifa_flags;
  Bytes attributes = AttributesBehind<ifaddrmsg>(message);
  while (const auto attribute = TakeAttribute(attributes)) {
    if (attribute->type == IFA_LOCAL) {
      local = ReadAddress(body->ifa_family, attribute->value);
    } else if (attribute->type == IFA_ADDRESS) {
      address = ReadAddress(body->ifa_family, attribute->value);
    } else if (attribute->type == IFA_FLAGS) {
      flags = ReadU32(attribute->value).value_or(flags);
    }
  }
  // On a point-to-point link IFA_ADDRESS is the other end's.
  if (!local) local = address;
  if (!local || body->ifa_prefixlen > local->size() * 8) return std::nullopt;
  InterfaceAddress result;
  result.ifindex = static_cast<int>(body->ifa_index);
  result.prefix = IpPrefix{*local, body->ifa_prefixlen};
  result.scope = body->ifa_scope;
  result.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0 &&
                     (flags & IFA_F_OPTIMISTIC) == 0;
  return result;
}

std::optional<RouteMessage> ParseRoute(Bytes message) {
  const auto body = BodyOf<rtmsg>(message);
  if (!body || (body->rtm_family != AF_INET && body->rtm_family != AF_INET6)) {
    return std::nullopt;
  }
  RouteMessage route;
  route.family = body->rtm_family;
  route.table = body->rtm_table;
  route.destination_length = body->rtm_dst_len;
  route.protocol = body->rtm_protocol;
  route.destination =
      IpAddress::Any(route.family == AF_INET ? Family::kIpv4 : Family::kIpv6);
  route.route.local = body->rtm_type == RTN_LOCAL;
  route.route.source =
      IpAddress::Any(route.family == AF_INET ? Family::kIpv4 : Family::kIpv6);
  Bytes attributes = AttributesBehind<rtmsg>(message);
  while (const auto attribute = TakeAttribute(attributes)) {
    ReadRouteAttribute(*attribute, route);
  }
  route.usable =
      (body->rtm_type == RTN_UNICAST || body->rtm_type == RTN_LOCAL) &&
      route.route.ifindex > 0;
  return route;
}

std::optional<Neighbour> ParseNeighbour(Bytes message) {
  const auto body = BodyOf<ndmsg>(message);
  if (!body) return std::nullopt;
  Neighbour neighbour;
  neighbour.ifindex = body->ndm_ifindex;
  // Routing daemons learn it for the kernel (EVPN), or have it keep it.
  neighbour.managed = (body->ndm_flags & NTF_EXT_LEARNED) != 0;
  bool has_address = false;
  Bytes attributes = AttributesBehind<ndmsg>(message);
  while (const auto attribute = TakeAttribute(attributes)) {
    if (attribute->type == NDA_DST) {
      const auto address = ReadAddress(body->ndm_family, attribute->value);
      if (!address) return std::nullopt;
      neighbour.address = *address;
      has_address = true;
    } else if (attribute->type == NDA_LLADDR) {
      neighbour.mac = ReadMac(attribute->value);
    } else if (attribute->type == NDA_FLAGS_EXT) {
      const uint32_t flags = ReadU32(attribute->value).value_or(0);
      neighbour.managed |= (flags & NTF_EXT_MANAGED) != 0;
    }
  }
  if (!has_address) return std::nullopt;
  if (MessageType(message) != RTM_DELNEIGH) {
    neighbour.state = StateOf(body->ndm_state);
  }
  return neighbour;
}

void AddChange(Bytes message, HostChanges& changes) {
  switch (MessageType(message)) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (const auto link = ParseLink(message)) {
        AddOnce(changes.links, link->index);
        if (MessageType(message) == RTM_DELLINK) {
          AddOnce(changes.gone, link->index);
        }
      }
      break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      if (const auto address = ParseAddress(message)) {
        AddOnce(changes.addresses, address->ifindex);
      }
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      changes.routes |= ParseRoute(message).has_value();
      break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      if (const auto neighbour = ParseNeighbour(message)) {
        AddNeighbour(changes.neighbours, *neighbour);
      }
      break;
    case NLMSG_OVERRUN:
      changes.everything = true;
      break;
    default:
      break;
  }
}

}  // namespace lwt::host
