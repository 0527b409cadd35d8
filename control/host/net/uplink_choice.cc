#include "control/host/net/uplink_choice.h"

#include <absl/strings/str_cat.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace lwt::host {
namespace {

absl::StatusOr<UplinkChoice> Choose(const Link& link,
                                    const std::string& reason) {
  const auto size = link.link_header_size();
  if (!size) {
    return absl::FailedPreconditionError(absl::StrCat(
        link.name, " (", reason, ") is a link of hardware type ", link.type,
        ", on which tunnel frames cannot travel; name an Ethernet, tun or ppp "
        "interface by -uplink-interface"));
  }
  if (!link.up) {
    return absl::FailedPreconditionError(
        absl::StrCat(link.name, " (", reason, ") is down; `ip link set ",
                     link.name, " up` brings it up"));
  }
  return UplinkChoice{link, *size, absl::StrCat(link.name, ": ", reason)};
}

bool IsCandidate(const Link& link) {
  return link.up && !link.loopback && link.kind != "tun" &&
         link.link_header_size().has_value();
}

std::string Describe(const std::vector<Link>& links) {
  std::string text;
  for (const Link& link : links) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", link.name,
                    link.up ? " (up" : " (down",
                    link.loopback        ? ", loopback)"
                    : link.kind == "tun" ? ", tunnel device)"
                                         : ")");
  }
  return text;
}

absl::StatusOr<UplinkChoice> ByListenAddress(Netlink& netlink,
                                             const IpAddress& listen,
                                             int except) {
  const auto addresses = netlink.Addresses();
  if (!addresses.ok()) return addresses.status();
  std::string known;
  for (const InterfaceAddress& address : *addresses) {
    if (address.prefix.address == listen) {
      const auto link = netlink.LinkByIndex(address.ifindex);
      if (!link.ok()) return link.status();
      // One that is announced by routing: it is reached by other links.
      if (link->loopback || link->kind == "dummy") {
        return UplinkForListener(netlink, IpAddress::Any(listen.family),
                                 except);
      }
      return Choose(
          *link, absl::StrCat("it has the listen address ", ToString(listen)));
    }
    if (address.prefix.address.family != listen.family ||
        address.ifindex == except) {
      continue;
    }
    absl::StrAppend(&known, known.empty() ? "" : ", ",
                    ToString(address.prefix.address));
  }
  return absl::NotFoundError(
      absl::StrCat("no interface has the listen address ", ToString(listen),
                   "; this host's are: ", known.empty() ? "none" : known));
}

absl::StatusOr<UplinkChoice> TheOnlyOne(Netlink& netlink) {
  const auto links = netlink.Links();
  if (!links.ok()) return links.status();
  if (std::count_if(links->begin(), links->end(), IsCandidate) == 1) {
    return Choose(*std::find_if(links->begin(), links->end(), IsCandidate),
                  "the only interface that is up");
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "cannot tell the uplink: there is no default route, and not exactly one "
      "interface is up; name one by -uplink-interface or listen on its "
      "address. There are: ",
      Describe(*links)));
}

// Whether frames for this host may come by the link. A port of a bridge has an
// address of its own only as every link has: local to the link.
bool IsReachedBy(const Link& link,
                 const std::vector<InterfaceAddress>& addresses) {
  if (!link.up || link.kind == "dummy" || link.kind == "vrf" ||
      !link.link_header_size()) {
    return false;
  }
  return std::any_of(
      addresses.begin(), addresses.end(), [&](const InterfaceAddress& address) {
        return address.ifindex == link.index &&
               (address.scope != RT_SCOPE_LINK || link.master == 0);
      });
}

}  // namespace

absl::StatusOr<std::vector<UplinkChoice>> OthersForListener(
    Netlink& netlink, std::span<const int> except) {
  const auto links = netlink.Links();
  if (!links.ok()) return links.status();
  const auto addresses = netlink.Addresses();
  if (!addresses.ok()) return addresses.status();
  std::vector<UplinkChoice> others;
  for (const Link& link : *links) {
    if (std::find(except.begin(), except.end(), link.index) != except.end() ||
        !IsReachedBy(link, *addresses)) {
      continue;
    }
    others.push_back({link, *link.link_header_size(),
                      absl::StrCat(link.name, ": it has an address")});
  }
  return others;
}

absl::StatusOr<UplinkChoice> UplinkByIndex(Netlink& netlink, int ifindex,
                                           const std::string& reason) {
  const auto link = netlink.LinkByIndex(ifindex);
  if (!link.ok()) return link.status();
  return Choose(*link, reason);
}

absl::StatusOr<UplinkChoice> UplinkByName(Netlink& netlink,
                                          std::string_view name) {
  const auto link = netlink.LinkByName(name);
  if (link.ok()) return Choose(*link, "named in the configuration");
  if (!absl::IsNotFound(link.status())) return link.status();
  const auto links = netlink.Links();
  if (!links.ok()) return links.status();
  return absl::NotFoundError(absl::StrCat(std::string(link.status().message()),
                                          "; there are: ", Describe(*links)));
}

absl::StatusOr<UplinkChoice> UplinkByRoute(Netlink& netlink, const Route& route,
                                           const IpAddress& remote) {
  std::string reason = absl::StrCat("the route to ", ToString(remote));
  if (route.gateway) {
    absl::StrAppend(&reason, " by ", ToString(*route.gateway));
  }
  return UplinkByIndex(netlink, route.ifindex, reason);
}

absl::StatusOr<UplinkChoice> UplinkForListener(Netlink& netlink,
                                               const IpAddress& listen,
                                               int except) {
  if (!listen.IsUnspecified()) return ByListenAddress(netlink, listen, except);
  const Family other =
      listen.family == Family::kIpv4 ? Family::kIpv6 : Family::kIpv4;
  for (const Family family : {listen.family, other}) {
    const auto ifindex = netlink.DefaultRouteLink(family, except);
    if (!ifindex.ok()) return ifindex.status();
    if (!ifindex->has_value()) continue;
    return UplinkByIndex(netlink, **ifindex,
                         family == Family::kIpv4 ? "the IPv4 default route"
                                                 : "the IPv6 default route");
  }
  return TheOnlyOne(netlink);
}

}  // namespace lwt::host
