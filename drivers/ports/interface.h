// What the kernel says of a network interface, read once by ioctl.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace lwt {

struct Interface {
  std::string name;
  int index = 0;
  uint32_t mtu = 0;
  uint8_t link_header_size = 0;  // 14, or 0 for tun, ppp and raw IP
  std::string driver;            // as ethtool names it; empty if it has none
  uint16_t rx_queues = 1;
  bool queues_are_paired = true;  // each receive queue has a transmit queue
};

// NotFound when there is no such interface; FailedPrecondition when its link
// layer is neither Ethernet nor none at all.
absl::StatusOr<Interface> ReadInterface(const std::string& name);

}  // namespace lwt
