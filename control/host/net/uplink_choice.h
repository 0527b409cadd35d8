// Which interface tunnel frames travel on, and why.
//
// Control thread, at start and when the choice breaks.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/host/net/netlink.h"
#include "control/host/net/netlink_types.h"

namespace lwt::host {

struct UplinkChoice {
  Link link;
  uint8_t link_header_size = 0;
  std::string reason;  // "eth0: the route to 192.0.2.1 goes by it"
};

// The interface named, when tunnel frames can travel on it.
absl::StatusOr<UplinkChoice> UplinkByName(Netlink& netlink,
                                          std::string_view name);

// The interface of that number, which is there, when tunnel frames can travel
// on it.
absl::StatusOr<UplinkChoice> UplinkByIndex(Netlink& netlink, int ifindex,
                                           const std::string& reason);

// A client's: by the kernel's route to the hub.
absl::StatusOr<UplinkChoice> UplinkByRoute(Netlink& netlink, const Route& route,
                                           const IpAddress& remote);

// A hub's: the link that has the listen address, unless that is on loopback
// or a dummy, which frames never come by; for an unspecified one the
// link of the default route of either family, else the only link that is up.
// Loopback and tunnel devices are no candidates, nor is `except`, our own one.
// The error lists the links.
absl::StatusOr<UplinkChoice> UplinkForListener(Netlink& netlink,
                                               const IpAddress& listen,
                                               int except = 0);

// The other links by which frames for this host may come, those of the indexes
// in `except` left out: links that are up and have an address, loopback among
// them. Bridges stand for their ports.
absl::StatusOr<std::vector<UplinkChoice>> OthersForListener(
    Netlink& netlink, std::span<const int> except);

}  // namespace lwt::host
