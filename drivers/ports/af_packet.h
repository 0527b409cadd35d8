// The uplink that works on every interface: a packet socket with a BPF filter
// for our endpoints and the kernel's virtio header, so that merged segments
// arrive whole and their checksums need no second look, and super-frames leave
// whole. It keeps a few large buffers for itself whatever others hold: with no
// more to be had, small frames still come, and merged ones are read, dropped
// and counted.
//
// Costs two system calls for each burst of up to kAfPacketFrames frames. The
// kernel's own stack gets the same segments: control keeps it from answering.
#pragma once

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "drivers/ports/interface.h"
#include "drivers/ports/uplink.h"
#include "drivers/vnet_header.h"

namespace lwt {

class AfPacketUplink final : public Uplink {
 public:
  // Uses the pools and super_frames of `spec`. With more than one port, a
  // socket for each (fanout.h).
  static absl::StatusOr<std::unique_ptr<AfPacketUplink>> Open(
      const Interface& interface, const UplinkSpec& spec);
  // A port of the inside on an interface that stays the kernel's: takes what
  // BuildLanFilter says, flows spread over the ports by their hash.
  static absl::StatusOr<std::unique_ptr<AfPacketUplink>> OpenInside(
      const Interface& interface, const UplinkSpec& spec,
      std::span<const sock_filter> filter);
  // Takes other frames from now on. On an error some ports do, some do not.
  absl::Status SetFilter(std::span<const sock_filter> filter);
  ~AfPacketUplink() override;

  absl::Status SetEndpoints(std::span<const Endpoint> endpoints) override;
  uint16_t port_count() const override {
    return static_cast<uint16_t>(1 + others_.size());
  }
  Port& port(uint16_t index) override;
  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return fd_; }
  PortReading ReadCounters() const override;

 private:
  // Which way frames are described for who reads them (port.h).
  enum class Side : uint8_t { kOutside, kInside };

  static absl::StatusOr<std::unique_ptr<AfPacketUplink>> OpenOne(
      const Interface& interface, const UplinkSpec& spec, Side side,
      std::span<const sock_filter> filter);
  static absl::StatusOr<std::unique_ptr<AfPacketUplink>> OpenAll(
      const Interface& interface, const UplinkSpec& spec, Side side,
      std::span<const sock_filter> filter);

  // A super-frame takes one vector a record, so this is 15 of the longest.
  static constexpr size_t kMaxTxVectors = 1024;
  // Large buffers that are never given away.
  static constexpr uint16_t kKept = 8;
  static constexpr uint16_t kFirstKept = kAfPacketFrames - kKept;

  AfPacketUplink(PortInfo info, const Interface& interface, int fd,
                 const UplinkSpec& spec, Side side);

  // af_packet.cc
  void Place(uint16_t slot, rte_mbuf* buffer);
  uint16_t FillBuffers();
  [[nodiscard]] bool GiveAway(uint16_t slot);
  template <Side kSide>
  rte_mbuf* TakeFrame(uint16_t slot);
  template <Side kSide>
  uint16_t TakeFrames(uint16_t first, int received,
                      std::span<rte_mbuf*> frames);
  static void Count(std::atomic<uint64_t>& counter, uint64_t n);

  // af_packet_transmit.cc
  void Describe(msghdr& message, const rte_mbuf* packet, iovec* vectors,
                size_t count) const;
  uint16_t PrepareTransmit(std::span<rte_mbuf*> frames);
  enum class Refusal { kQueueFull, kFrame, kAgain };
  Refusal AfterError(const rte_mbuf* frame);
  bool SendCut(const rte_mbuf& frame);

  const int fd_;
  const Side side_;
  std::vector<std::unique_ptr<AfPacketUplink>> others_;  // of the first only
  rte_mempool* const jumbo_pool_;
  rte_mempool* const small_pool_;
  const uint32_t copied_size_;  // no larger frame is copied to a small buffer
  const uint8_t leg_;

  // Receive side. Slots [empty_, kAfPacketFrames) have a buffer, those before
  // first_slot_ never.
  const uint16_t first_slot_;
  uint16_t empty_ = kAfPacketFrames;
  std::array<rte_mbuf*, kAfPacketFrames> buffers_{};
  std::array<VnetHeader, kAfPacketFrames> rx_headers_{};
  std::array<std::array<iovec, 2>, kAfPacketFrames> rx_vectors_{};
  std::array<mmsghdr, kAfPacketFrames> rx_messages_{};

  // Transmit side.
  std::array<VnetHeader, kAfPacketFrames> tx_headers_{};
  // Where there is no link header these two tell the kernel the protocol.
  const sockaddr_ll ipv4_link_;
  const sockaddr_ll ipv6_link_;
  std::array<iovec, kMaxTxVectors> tx_vectors_{};
  std::array<mmsghdr, kAfPacketFrames> tx_messages_{};

  // Written by the worker only, except for missed_, which is its readers'.
  std::atomic<uint64_t> no_buffer_ = 0;
  std::atomic<uint64_t> truncated_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> cut_ = 0;
  mutable std::atomic<uint64_t> missed_ = 0;
};

}  // namespace lwt
