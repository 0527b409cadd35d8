// Packet sockets that share the frames of an interface: each flow comes to one
// of them, always the same.
//
// Outside, the n-th of N sockets gets the flows whose ports, added up, leave n
// modulo N. The sum is the same seen from either end, and a peer that chooses
// its port chooses the worker that will have the flow. Fragments of IPv4 come
// put together, also to a group of one: routers that clear DF make them.
// Inside, the kernel's flow hash chooses, which knows more protocols.
#pragma once

#include <absl/status/status.h>
#include <linux/filter.h>

#include <span>
#include <vector>

namespace lwt {

// The classic BPF program that returns the sum of the ports of a TCP segment
// over IPv4 or IPv6, and some number for anything else.
std::vector<sock_filter> BuildPortSum();

enum class Spread { kPortSum, kFlowHash };

// Makes a group of bound packet sockets, which lasts until they are closed.
absl::Status JoinFanout(std::span<const int> sockets, Spread spread);

}  // namespace lwt
