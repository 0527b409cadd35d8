// An order of addresses and of prefixes, for maps of them.
#pragma once

#include <tuple>

#include "drivers/ip_endpoint.h"

namespace lwt::host {

struct AddressOrder {
  bool operator()(const IpAddress& a, const IpAddress& b) const {
    return std::tie(a.family, a.bytes) < std::tie(b.family, b.bytes);
  }
};

struct PrefixOrder {
  bool operator()(const IpPrefix& a, const IpPrefix& b) const {
    return std::tie(a.address.family, a.address.bytes, a.length) <
           std::tie(b.address.family, b.address.bytes, b.length);
  }
};

}  // namespace lwt::host
