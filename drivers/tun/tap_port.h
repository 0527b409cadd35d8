// The tunnel device: DPDK's TAP driver in layer-3 mode as a Port of plain IP
// packets (link_header_size 0).
//
// Addresses, MTU, up and down are control's business by netlink.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/port.h"

struct rte_mempool;

namespace lwt {

struct TapSpec {
  std::string name;  // of the device to make, 1 to 15 characters
  uint16_t mtu = 1400;
  uint16_t queues = 1;  // ports wanted, each for a worker of its own
  // For received packets, one mbuf each, with a data room of at least
  // mtu + RTE_PKTMBUF_HEADROOM.
  rte_mempool* pool = nullptr;
};

// Makes the device, which is up but has no address, and whose MTU is still the
// kernel's. Fails with AlreadyExists when there is a device of that name.
// Receive gives IP packets behind RTE_PKTMBUF_HEADROOM bytes of headroom, their
// checksums unverified. Transmit takes packets of one or more segments.
// Ignores SIGIO for the whole process. One port for each queue; the device
// lives as long as one of them.
absl::StatusOr<std::vector<std::unique_ptr<Port>>> OpenTapPorts(
    const TapSpec& spec);

}  // namespace lwt
