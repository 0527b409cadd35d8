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
  int master = 0;  // index of the bridge, bond or VRF that it is a port of
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

// What the kernel is asked to route. What is left out it decides by itself: its
// rules may look at any of these.
struct RouteQuery {
  IpAddress destination;
  std::optional<IpAddress> source;
  int out_ifindex = 0;   // the way has to lead out here; 0: anywhere
  uint8_t protocol = 0;  // IPPROTO_*; 0: any
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
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
  bool managed = false;  // by a program of the host: learned or kept for it
  // The kernel would send to `mac` now.
  bool usable() const;
  // Resolved by the kernel, which forgets it in time. Any other is somebody's
  // who set it, and nobody else's to touch.
  bool dynamic() const;
};

// What changed since the last look. When `everything` is set the kernel's
// queue overran, the lists are not complete, and all has to be read again.
struct HostChanges {
  bool everything = false;
  bool routes = false;
  std::vector<int> links;  // index of each link new, changed or gone
  std::vector<int> gone;   // of each of these that went, if it came back too
  std::vector<int> addresses;  // index of each link whose addresses changed
  std::vector<Neighbour> neighbours;  // the newest state of each

  bool empty() const {
    return !everything && !routes && links.empty() && addresses.empty() &&
           neighbours.empty();
  }
};

}  // namespace lwt::host
