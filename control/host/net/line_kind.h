// What kind of line an interface leads to, and how large packets inside the
// tunnel may be to begin with, while nothing has answered on it.
//
// Only a guess, by what such lines mostly take; what a flow finds of its path
// comes in its place. The sizes are those of the gateway's predecessor.
#pragma once

#include <cstdint>

#include "control/host/net/netlink_types.h"

namespace lwt::host {

enum class LineKind : uint8_t {
  kEthernet,  // and Wi-Fi, and all that is not known to be another
  kPppoe,
  kMobile,
  kVpn,
};

// By the kind that rtnetlink tells, and by the name where it tells none.
LineKind KindOfLine(const Link& link);

// Bytes of the largest packet inside.
uint16_t FirstInnerMtu(LineKind kind);

}  // namespace lwt::host
