// The uplink that works on every interface: a packet socket with a BPF filter
// for our endpoints and the kernel's virtio header, so that merged segments
// arrive whole and their checksums need no second look.
//
// Costs two system calls for each burst of up to kAfPacketFrames frames. The
// kernel's own stack gets the same segments: control keeps it from answering.
#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "drivers/uplink/interface.h"
#include "drivers/uplink/uplink.h"
#include "drivers/vnet_header.h"

namespace lwt {

class AfPacketUplink final : public Uplink {
 public:
  static absl::StatusOr<std::unique_ptr<AfPacketUplink>> Open(
      const Interface& interface, rte_mempool* jumbo_pool);
  ~AfPacketUplink() override;

  absl::Status SetEndpoints(std::span<const Endpoint> endpoints) override;
  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return fd_; }
  PortCounters ReadCounters() const override;

 private:
  static constexpr size_t kMaxSegments = 8;
  static constexpr size_t kMaxTxVectors = 4 * kAfPacketFrames;

  AfPacketUplink(PortInfo info, const Interface& interface, int fd,
                 rte_mempool* pool);
  void PrepareReceive();
  uint16_t FillBuffers();
  bool FinishFrame(size_t slot);
  // Describes frames from the front, as many as fit, and returns how many.
  uint16_t PrepareTransmit(std::span<rte_mbuf*> frames);
  static void Count(std::atomic<uint64_t>& counter, uint64_t n);

  const int fd_;
  rte_mempool* const pool_;

  // Receive side: buffers_[0, filled_) wait for frames.
  uint16_t filled_ = 0;
  std::array<rte_mbuf*, kAfPacketFrames> buffers_{};
  std::array<VnetHeader, kAfPacketFrames> rx_headers_{};
  std::array<std::array<iovec, 2>, kAfPacketFrames> rx_vectors_{};
  std::array<mmsghdr, kAfPacketFrames> rx_messages_{};

  // Transmit side.
  VnetHeader tx_header_{};
  // Where there is no link header these two tell the kernel the protocol.
  const sockaddr_ll ipv4_link_;
  const sockaddr_ll ipv6_link_;
  std::array<iovec, kMaxTxVectors> tx_vectors_{};
  std::array<mmsghdr, kAfPacketFrames> tx_messages_{};

  // Written by the worker only, but for missed_, which is its readers'.
  std::atomic<uint64_t> no_buffer_ = 0;
  std::atomic<uint64_t> truncated_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  mutable std::atomic<uint64_t> missed_ = 0;
};

}  // namespace lwt
