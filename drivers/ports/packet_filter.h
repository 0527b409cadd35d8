// The classic BPF program of the packet socket: our TCP segments and nothing
// else.
#pragma once

#include <absl/status/statusor.h>
#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "drivers/ip_endpoint.h"

namespace lwt {

// Accepts whole TCP segments over IPv4 (no fragment) and IPv6 (no extension
// header) addressed to this host and to one of `endpoints`. With a link header
// of 14 bytes, one VLAN tag inside the frame is looked through; a tag that the
// NIC took out must have VLAN id 0. No endpoints: accepts nothing.
//
// A port with up to 16 IPv6 addresses, and as many IPv4 addresses as fit, is
// taken at exactly these. More IPv6 addresses are told apart by a sum of 32
// bits. Where the kernel's 4096 instructions are not enough (about 2600
// addresses without any two in a row), addresses in the smallest gaps between
// ours are taken as well. ResourceExhausted with more than some 1300 ports.
//
// Where fewer instructions are wanted, `most` of them, gaps are taken sooner.
absl::StatusOr<std::vector<sock_filter>> BuildPacketFilter(
    uint8_t link_header_size, std::span<const Endpoint> endpoints,
    size_t most = BPF_MAXINSNS);

}  // namespace lwt
