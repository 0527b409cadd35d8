// The classic BPF program of a packet socket on a LAN interface: what the
// gateway routes to peers, and nothing else.
#pragma once

#include <absl/status/statusor.h>
#include <linux/filter.h>

#include <span>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt {

// What is routed, by destination: everything in `networks` but `kept`, the
// addresses that are this host's own.
struct RoutedSet {
  std::vector<IpPrefix> networks;
  std::vector<IpAddress> kept;
};

// Accepts IPv4 and IPv6 packets in untagged Ethernet frames to this host's own
// link-layer address whose destination is in the set; a VLAN tag that the NIC
// took out must have VLAN id 0. ResourceExhausted when the kernel's limit of
// 4096 instructions is passed.
absl::StatusOr<std::vector<sock_filter>> BuildLanFilter(const RoutedSet& set);

}  // namespace lwt
