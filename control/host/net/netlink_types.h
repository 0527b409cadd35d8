// What the kernel tells of the outside network: links, addresses, routes and
// neighbours, as values.
#pragma once

#include <net/if_arp.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

using MacAddress = std::array<uint8_t, 6>;

struct Link {
  int index = 0;
  std::string name;
  std::string kind;  // "veth", "tun", "vlan", ...; empty for hardware
  uint32_t mtu = 0;
  uint16_t type = 0;  // ARPHRD_*
  bool up = false;
  bool has_carrier = false;
  bool loopback = false;
  std::optional<MacAddress> mac;

  // Bytes of link header a frame of this link begins with: 14 for Ethernet, 0
  // for tun and ppp; nullopt for a type that tunnel frames cannot travel on.
  std::optional<uint8_t> link_header_size() const;
};

struct InterfaceAddress {
  int ifindex = 0;
  IpPrefix prefix;         // the local address and the size of its network
  uint8_t scope = 0;       // RT_SCOPE_*: 0 global, 253 link, 254 host
  bool tentative = false;  // IPv6, duplicate detection not done (or failed)
};

struct Route {
  int ifindex = 0;
  IpAddress source;
  std::optional<IpAddress> gateway;  // nullopt: the destination is on the link
  uint32_t mtu = 0;    // the route's own where it has one, else the link's
  bool local = false;  // the destination is an address of this host

  // Whose link-layer address frames to `destination` need.
  const IpAddress& NextHop(const IpAddress& destination) const {
    return gateway ? *gateway : destination;
  }
  friend bool operator==(const Route&, const Route&) = default;
};

enum class NeighbourState : uint8_t {
  kUnknown,  // no entry, or one just made
  kIncomplete,
  kReachable,
  kStale,
  kDelay,
  kProbe,
  kFailed,
  kNoArp,
  kPermanent,
};

struct Neighbour {
  int ifindex = 0;
  IpAddress address;
  NeighbourState state = NeighbourState::kUnknown;
  std::optional<MacAddress> mac;
  // The kernel would send to `mac` now.
  bool usable() const;
};

// What changed since the last look. When `everything` is set the kernel's
// queue overran, the lists are not complete, and all has to be read again.
struct HostChanges {
  bool everything = false;
  bool routes = false;
  std::vector<int> links;      // index of each link new, changed or gone
  std::vector<int> addresses;  // index of each link whose addresses changed
  std::vector<Neighbour> neighbours;  // the newest state of each

  bool empty() const {
    return !everything && !routes && links.empty() && addresses.empty() &&
           neighbours.empty();
  }
};

}  // namespace lwt::host
