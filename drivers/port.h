// One thin port: a queue pair that gives and takes mbufs, whether it is an
// ethdev of DPDK or a kernel socket of ours.
//
// A port is used by one worker thread at a time. The virtual call is made once
// per burst, never per packet.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <string>

namespace lwt {

struct PortInfo {
  std::string driver;  // "af_packet", "af_xdp", "net_tap", "ring"
  std::string device;  // the kernel's name of the interface
  uint8_t link_header_size = 0;  // bytes: 0 (tun, ppp), 14, or 18 (VLAN)
  uint16_t mtu = 0;              // of the layer above the link header
  uint16_t queue_count = 1;
};

class Port {
 public:
  virtual ~Port() = default;

  // Fills `frames` from the front and returns how many. A frame begins at its
  // link header; l2_len is that header's size. RTE_MBUF_F_RX_L4_CKSUM_GOOD is
  // set when the checksum needs no look (verified by the NIC, or made on this
  // host and never on a wire). A merged frame (GRO, LRO) has
  // RTE_MBUF_F_RX_LRO set, is one contiguous segment, and may hold 64 KiB.
  virtual uint16_t Receive(std::span<rte_mbuf*> frames) = 0;

  // Takes ownership of the first n frames and returns n; the rest stay the
  // caller's. Frames are complete, checksums included.
  virtual uint16_t Transmit(std::span<rte_mbuf*> frames) = 0;

  // A descriptor that polls readable when Receive would return a frame, or -1
  // when an idle worker has to poll this port.
  virtual int wait_fd() const = 0;

  const PortInfo& info() const { return info_; }

 protected:
  explicit Port(PortInfo info) : info_(std::move(info)) {}

 private:
  PortInfo info_;
};

}  // namespace lwt
