// The tunnel device with segmentation offload: /dev/net/tun opened by
// ourselves, a virtio header before each packet, so that one system call moves
// a super-frame of up to 64 KiB (port.h) and no inner checksum is computed
// where the host makes the packets. A Port of plain IP packets
// (link_header_size 0), one for each queue of the device.
//
// Costs a system call a packet or super-frame each way. At 44 packets a
// super-frame that is an eighth of what DPDK's TAP driver takes outward and a
// fifteenth inward, splitting and merging included (docs/performance.md).
//
// The device lives as long as one of its ports. Addresses, MTU, up and down are
// control's business by netlink.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/port.h"

struct rte_mempool;

namespace lwt {

struct OffloadSpec {
  std::string name;  // of the device to make, 1 to 15 characters
  uint16_t mtu = 1400;
  uint16_t queues = 1;  // ports wanted, each for a worker of its own
  // A device of Ethernet frames, without offload: the twin of a port that the
  // kernel does not see.
  bool ethernet = false;
  // For what fits into one of its mbufs behind RTE_PKTMBUF_HEADROOM.
  rte_mempool* pool = nullptr;
  // For the rest: buffers of PacketPool::kJumboRoom, used without headroom. One
  // waits in each port, and up to kMaxChain small ones (train_buffers.h).
  rte_mempool* jumbo_pool = nullptr;
};

// Makes the device, which is down and has no address. Fails with AlreadyExists
// when there is a device of that name, with Unimplemented when the kernel
// offers no TCP segmentation on tun devices; UDP segmentation (Linux 6.2) is
// taken where it is, see PortInfo::segments_udp.
absl::StatusOr<std::vector<std::unique_ptr<Port>>> OpenOffloadPorts(
    const OffloadSpec& spec);

}  // namespace lwt
