// What a client takes of the tunnel addresses that its hub leases: no more than
// a network of its own inside, so that a hub cannot draw other traffic of the
// host into the tunnel by them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt::peer {

// The shortest networks that a lease may be of.
inline constexpr uint8_t kShortestLeaseIpv4 = 8;
inline constexpr uint8_t kShortestLeaseIpv6 = 16;

// What the host has beside the tunnel.
struct LeasedBeside {
  std::span<const IpPrefix> here;  // networks of this host
  std::vector<IpPrefix> routed;    // that its routes lead elsewhere
};

// What stands against them; empty: nothing. `hub` is where the tunnel's own
// frames go. Of what the host routes elsewhere a wider network is the kernel's
// second choice, and in nobody's way, as with a configured address.
std::string AgainstLease(const std::vector<IpPrefix>& leased,
                         const IpAddress& hub, const LeasedBeside& beside);

}  // namespace lwt::peer
