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

// What stands against them; empty: nothing. `hub` is where the tunnel's own
// frames go, `here` are the networks of this host.
std::string AgainstLease(const std::vector<IpPrefix>& leased,
                         const IpAddress& hub, std::span<const IpPrefix> here);

}  // namespace lwt::peer
