// A port whose other end is the test: what the worker sends goes to a function,
// what it is to receive waits in a queue as long as a device's.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <deque>
#include <functional>

#include "drivers/port.h"
#include "tests/support/world/network.h"

namespace lwt::world {

class WirePort final : public Port {
 public:
  static constexpr size_t kQueue = 512;

  struct Spec {
    uint8_t link_header_size = 14;  // or 0
    uint16_t mtu = 1500;
    bool segments = false;  // takes super-frames, and cuts them
    rte_mempool* small = nullptr;
    rte_mempool* jumbo = nullptr;  // for what does not fit a small buffer
    std::function<void(Bytes)> sent;
  };

  explicit WirePort(Spec spec);

  // Lost when the queue is full.
  void Arrive(Frame frame) {
    if (waiting_.size() < kQueue) waiting_.push_back(std::move(frame));
  }
  bool empty() const { return waiting_.empty(); }

  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return -1; }

 private:
  rte_mbuf* BufferOf(const Frame& frame) const;

  const Spec spec_;
  std::deque<Frame> waiting_;
};

}  // namespace lwt::world
