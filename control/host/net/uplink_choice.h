// Which interface tunnel frames travel on, and why.
//
// Control thread, at start and when the choice breaks.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

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

// A client's: by the route to the server.
absl::StatusOr<UplinkChoice> UplinkForRemote(Netlink& netlink,
                                             const IpAddress& remote);

// A server's: the link that has the listen address; for an unspecified one the
// link of the default route of either family, else the only link that is up.
// Loopback and tunnel devices are no candidates. The error lists the links.
absl::StatusOr<UplinkChoice> UplinkForListener(Netlink& netlink,
                                               const IpAddress& listen);

}  // namespace lwt::host
