// Whether the tunnel's network is in use on this host already: what is meant
// for the tunnel would go elsewhere then, in clear, and be answered there.
//
// Control thread. A few questions to the kernel; routes are asked for at the
// start alone.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "control/host/net/netlink.h"

namespace lwt::host {

// The first interface but `own`, the tunnel device, that has an address in a
// network which shares addresses with one of `tunnel`: a sentence, with what
// helps; empty when there is none. The loopback's addresses, links' own ones
// and single addresses (/32, /128) of ours share with nobody.
std::string SharedWithInterface(Netlink& netlink,
                                std::span<const IpPrefix> tunnel, int own);

// As above, and routes of others that lead a part of a network of `tunnel`, or
// all of it, elsewhere. A wider one is the kernel's second choice. An error is
// InvalidArgument where the settings have to change.
absl::Status CheckNetworkIsFree(Netlink& netlink,
                                std::span<const IpPrefix> tunnel);

}  // namespace lwt::host
