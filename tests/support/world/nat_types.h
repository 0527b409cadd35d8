// The types of NAT that a path between two clients may meet, by the names that
// people give them.
#pragma once

#include <span>
#include <string_view>

#include "tests/support/world/nat.h"

namespace lwt::world {

struct NatType {
  std::string_view name;
  NatBehaviour behaviour;
};

// "none", a router that does not filter, and the eight: "firewall", which does
// and does not translate; "full cone", "restricted", "port-restricted";
// "hairpin", a full cone by which hosts inside reach each other;
// "address-dependent", "symmetric" and "sequential", of which every remote
// address or endpoint sees another port.
std::span<const NatType> NatTypes();
// One of them.
const NatBehaviour& NatNamed(std::string_view name);

}  // namespace lwt::world
