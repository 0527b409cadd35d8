// One thin port: a queue pair that gives and takes mbufs, whether it is an
// ethdev of DPDK or a kernel socket of ours.
//
// A port is used by one worker thread at a time. The virtual call is made once
// per burst, never per packet.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "drivers/metric.h"

namespace lwt {

// Numbers for the interfaces of an uplink: an mbuf's `port` is less.
inline constexpr size_t kLegs = 32;
// Of each of these, its MTU, bytes; 0: none of its own.
using LegMtus = std::array<uint16_t, kLegs>;

struct PortInfo {
  std::string driver;            // "af_packet", "af_xdp", "net_tap", "ring"
  std::string device;            // the kernel's name of the interface
  uint8_t link_header_size = 0;  // bytes: 0 (tun, ppp), 14, or 18 (VLAN)
  uint16_t mtu = 0;              // of the layer above the link header
  uint16_t queue_count = 1;
  bool segments = false;      // Transmit takes super-frames of TCP (below)
  bool segments_udp = false;  // and of UDP
  // The kernel's stack gets the frames that the port takes too, so that it has
  // to be kept from answering them.
  bool kernel_sees_frames = false;
  // Of several ports of one device, a flow comes in by the same one for ever.
  bool pins_flows = false;
  // The other end of the link is a kernel on this host, which may leave the
  // checksum of TCP for later: the field holds the sum over the pseudo-header,
  // not inverted, and nobody says so.
  bool unfinished_checksums = false;
  // Its frames lie in the gateway's pools, so that they outlive the port.
  bool frames_outlive = false;
  // It loads programs into the kernel, which takes more privileges.
  bool loads_programs = false;
};

// A super-frame stands for a run of segments of one flow, equal in size except
// for the last, and is cut by the kernel or the NIC:
//
// * Received: RTE_MBUF_F_RX_LRO, and tso_segsz as the payload of each segment.
//   A port of the inside also says where the L4 header begins (l3_len) and
//   which it is (RTE_PTYPE_L4_TCP or _UDP in packet_type); the L4 checksum
//   field holds no checksum. It is contiguous, or a chain: headers and the
//   first payload in one mbuf, the payload of each other segment in one more,
//   behind its headroom and room for the same headers, kMaxChainHeaders at
//   most.
// * For Transmit, where info().segments: RTE_MBUF_F_TX_TCP_SEG or
//   RTE_MBUF_F_TX_UDP_SEG with l2_len, l3_len, l4_len and tso_segsz; a chain of
//   at most kMaxChain mbufs. Headers are those of one segment of the whole
//   length, and the L4 checksum field holds the sum over the pseudo-header of
//   that length, not inverted: what the kernel calls CHECKSUM_PARTIAL.
//
// RTE_MBUF_F_TX_TCP_CKSUM or _UDP_CKSUM alone asks for the checksum of one
// segment, its field filled in the same way; RTE_MBUF_F_RX_L4_CKSUM_NONE says
// that a received one came like that and is as good as verified.
inline constexpr uint16_t kMaxChain = 64;
inline constexpr uint16_t kMaxChainHeaders = 128;

// What went wrong at a port, ever since it was opened.
// X(member, kind, unit, help)
#define LWT_PORT_METRICS(X)                                                 \
  X(rx_missed, kCounter, kNumber,                                           \
    "Frames lost because the device's queue was full.")                     \
  X(rx_no_buffer, kCounter, kNumber,                                        \
    "Frames dropped, or bursts cut short, because the pool was empty.")     \
  X(rx_truncated, kCounter, kNumber, "Frames longer than a buffer.")        \
  X(tx_refused, kCounter, kNumber, "Frames that the device refused.")       \
  X(tx_cut, kCounter, kNumber,                                              \
    "Super-frames that the device refused, and that were cut in software.") \
  X(tx_astray, kCounter, kNumber,                                           \
    "Frames for an interface that is not served any more.")
LWT_READING(PortReading, LWT_PORT_METRICS);

class Port {
 public:
  virtual ~Port() = default;

  // Fills `frames` from the front and returns how many. A frame begins at its
  // link header; l2_len is that header's size. RTE_MBUF_F_RX_L4_CKSUM_GOOD is
  // set when the checksum needs no look (verified by the NIC, or made on this
  // host and never on a wire). A merged frame (GRO, LRO) has
  // RTE_MBUF_F_RX_LRO set, is one contiguous segment, and may hold 64 KiB. On
  // the uplink `port` is the number of the interface that it came by, 0 where
  // there is one alone.
  virtual uint16_t Receive(std::span<rte_mbuf*> frames) = 0;

  // Takes ownership of the first n frames and returns n; the rest stay the
  // caller's: the device's queue is full. Frames are complete, checksums
  // included, unless info().segments and their flags ask for more, and have one
  // or more mbufs. On the uplink `port` says by which of several interfaces it
  // leaves. A frame that the device refuses for another reason is taken,
  // freed and counted.
  virtual uint16_t Transmit(std::span<rte_mbuf*> frames) = 0;

  // A descriptor that polls readable when Receive would return a frame, or -1
  // when an idle worker has to poll this port.
  virtual int wait_fd() const = 0;

  // May be called by any thread.
  virtual PortReading ReadCounters() const { return {}; }

  const PortInfo& info() const { return info_; }

 protected:
  explicit Port(PortInfo info) : info_(std::move(info)) {}

 private:
  PortInfo info_;
};

}  // namespace lwt
