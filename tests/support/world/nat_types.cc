#include "tests/support/world/nat_types.h"

#include <algorithm>

#include "drivers/check.h"

namespace lwt::world {

std::span<const NatType> NatTypes() {
  using enum Dependence;
  static constexpr NatType kTypes[] = {
      {"none", {.translates = false, .filtering = kNone, .picks_up = true}},
      {"firewall", {.translates = false, .filtering = kAddressAndPort}},
      {"full cone", {.mapping = kNone, .filtering = kNone}},
      {"hairpin", {.mapping = kNone, .filtering = kNone, .hairpins = true}},
      {"restricted", {.mapping = kNone, .filtering = kAddress}},
      {"port-restricted", {.mapping = kNone, .filtering = kAddressAndPort}},
      {"address-dependent",
       {.mapping = kAddress,
        .filtering = kAddressAndPort,
        .ports = PortChoice::kRandom}},
      {"symmetric",
       {.mapping = kAddressAndPort,
        .filtering = kAddressAndPort,
        .ports = PortChoice::kRandom}},
      {"sequential",
       {.mapping = kAddressAndPort,
        .filtering = kAddressAndPort,
        .ports = PortChoice::kNext}},
  };
  return kTypes;
}

const NatBehaviour& NatNamed(std::string_view name) {
  const auto types = NatTypes();
  const auto at =
      std::find_if(types.begin(), types.end(),
                   [&](const NatType& type) { return type.name == name; });
  LWT_CHECK(at != types.end(), "a type of NAT has this name");
  return at->behaviour;
}

}  // namespace lwt::world
