// rtnetlink messages to values. Pure; every length is checked against the
// bytes given, whoever sent them. `message` begins at a nlmsghdr.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "control/host/net/netlink_types.h"

namespace lwt::host {

// RTM_NEWLINK or RTM_DELLINK.
std::optional<Link> ParseLink(std::span<const uint8_t> message);

// RTM_NEWADDR or RTM_DELADDR.
std::optional<InterfaceAddress> ParseAddress(std::span<const uint8_t> message);

// RTM_NEWROUTE or RTM_DELROUTE.
struct RouteMessage {
  Route route;  // `mtu` is 0 when the route names none
  bool has_source = false;
  bool usable = false;  // unicast or local, and has a link
  std::optional<IpAddress> destination;
  uint8_t destination_length = 0;  // bits; 0: a default route
  uint8_t family = 0;              // AF_*
  uint8_t table = 0;               // RT_TABLE_* below 256
  uint8_t protocol = 0;            // RTPROT_*
  uint32_t priority = 0;
};
std::optional<RouteMessage> ParseRoute(std::span<const uint8_t> message);

// RTM_NEWNEIGH or RTM_DELNEIGH (state kUnknown then). nullopt for bridge
// entries and other families.
std::optional<Neighbour> ParseNeighbour(std::span<const uint8_t> message);

// Adds what one message of a monitor socket says to `changes`.
void AddChange(std::span<const uint8_t> message, HostChanges& changes);

}  // namespace lwt::host
