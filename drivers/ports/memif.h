// Ports of shared memory (DPDK's memif): one that another program, such as VPP
// or testpmd, connects to and hands inside traffic to; and two that are joined
// inside one process, for tests and benches of a port that copies.
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
  // Unique on the host: at most 20 characters, or the path of a socket.
  std::string name;
  uint8_t link_header_size = 14;  // 0 or 14
  uint16_t mtu = 1500;
  rte_mempool* pool = nullptr;  // for what is received
};

// The server's end at the socket `spec.name`, a path; what a server that was
// killed has left there is removed. Carries frames while a client is connected;
// others are lost.
absl::StatusOr<std::unique_ptr<Port>> OpenMemifServer(const MemifSpec& spec);

// Two ports, each receiving a copy of what the other transmits; 1024 frames
// each way. They have no descriptor to wait on and have to be polled.
absl::StatusOr<std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>>
OpenMemifPair(const MemifSpec& spec);

}  // namespace lwt
