// The tunnel device: DPDK's TAP driver in layer-3 mode as a Port of plain IP
// packets (link_header_size 0). The device lives as long as the port.
//
// Addresses, MTU, up and down are control's business by netlink.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "drivers/port.h"

struct rte_mempool;

namespace lwt {

struct TapSpec {
  std::string name;  // of the device to make, 1 to 15 characters
  uint16_t mtu = 1400;
  // For received packets: one mbuf each; holds kTapFrames of them besides. The
  // data room is at least mtu + RTE_PKTMBUF_HEADROOM.
  rte_mempool* pool = nullptr;
};

inline constexpr uint32_t kTapFrames = 1024;

// Fails with AlreadyExists when a device of that name exists. Receive gives IP
// packets behind at least RTE_PKTMBUF_HEADROOM bytes of headroom, and
// RTE_MBUF_F_RX_L4_CKSUM_GOOD when the driver verified the inner checksum.
// Transmit takes packets of one or more segments.
absl::StatusOr<std::unique_ptr<Port>> OpenTapPort(const TapSpec& spec);

}  // namespace lwt
