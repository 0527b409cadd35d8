// Two ports joined by shared memory (DPDK's memif), inside one process: tests
// and benches of a port that copies. Appliances meet the same driver when they
// hand inside traffic to another program.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "drivers/port.h"

struct rte_mempool;

namespace lwt {

struct MemifSpec {
  std::string name;               // unique on the host, at most 20 characters
  uint8_t link_header_size = 14;  // 0 or 14
  uint16_t mtu = 1500;
  rte_mempool* pool = nullptr;  // for what is received
};

// Two ports, each receiving a copy of what the other transmits; 1024 frames
// each way. They have no descriptor to wait on and have to be polled.
absl::StatusOr<std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>>
OpenMemifPair(const MemifSpec& spec);

}  // namespace lwt
