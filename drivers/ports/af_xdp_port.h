// What one worker uses of an AF_XDP device: some of its receive queues, and the
// transmit queue of the first of them. Frames are single and linear.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <memory>
#include <vector>

#include "drivers/port.h"
#include "drivers/scoped_fd.h"

struct rte_mempool;

namespace lwt {

class AfXdpPort final : public Port {
 public:
  static constexpr uint16_t kMaxLinkHeader = 18;  // with a VLAN tag

  struct Queue {
    uint16_t index = 0;
    int socket = -1;
  };

  // `queues` is not empty; `pool` is the device's. The device outlives this.
  static absl::StatusOr<std::unique_ptr<AfXdpPort>> Make(
      PortInfo info, uint16_t port_id, rte_mempool* pool,
      std::vector<Queue> queues);

  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return epoll_.get(); }
  // Those of the whole device except for tx_refused come from the first port.
  PortReading ReadCounters() const override;

 private:
  AfXdpPort(PortInfo info, uint16_t port_id, rte_mempool* pool,
            std::vector<Queue> queues, int epoll_fd);
  enum class Readiness { kReady, kRefused, kNoBuffer };
  Readiness MakeReady(rte_mbuf*& frame);

  const uint16_t port_id_;
  rte_mempool* const pool_;
  const std::vector<Queue> queues_;
  const ScopedFd epoll_;
  size_t next_queue_ = 0;
  std::atomic<uint64_t> refused_ = 0;  // written by the worker only
};

}  // namespace lwt
