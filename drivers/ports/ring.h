// Ports over rings of DPDK, for gateways joined inside one process: tests and
// benches. Both ends are complete ports. Nothing is copied but what the sender
// keeps a reference of, since the receiver opens it in place.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "drivers/port.h"

namespace lwt {

struct RingSpec {
  std::string name;      // unique in the process, at most 20 characters
  uint32_t size = 1024;  // frames each way
  uint8_t link_header_size = 14;  // 0 or 14
  uint16_t mtu = 1500;
  // Take super-frames. They arrive at the other end as they were sent, and who
  // reads that end does what a device would.
  bool segments = false;
  // Hand over as it is what the sender keeps, too. For whoever reads the other
  // end and writes to nothing.
  bool copies_kept = true;
  // Make wait descriptors, at the price of a system call per burst received
  // and transmitted. Without them the ports have to be polled.
  bool wait_fds = true;
};

// Two ports, each receiving what the other transmits. Each may be used by a
// thread of its own, and destroyed in any order.
absl::StatusOr<std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>>
OpenRingPair(const RingSpec& spec);

}  // namespace lwt
