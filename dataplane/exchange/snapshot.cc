#include "dataplane/exchange/snapshot.h"

#include <cstring>

namespace lwt {

const IpAddress* Snapshot::Own(Family family) const {
  const auto at = std::find_if(
      own_addresses.begin(), own_addresses.end(),
      [family](const IpPrefix& each) { return each.address.family == family; });
  return at == own_addresses.end() ? nullptr : &at->address;
}

bool Snapshot::IsBroadcast(Family family, const uint8_t* address) const {
  return family == Family::kIpv4 &&
         std::any_of(broadcasts.begin(), broadcasts.end(),
                     [address](const auto& last) {
                       return std::memcmp(last.data(), address, 4) == 0;
                     });
}

}  // namespace lwt
