// A port that loses frames on their way out, by chance or for want of capacity,
// for links between two workers of one process at full speed.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <memory>
#include <random>
#include <utility>

#include "drivers/port.h"
#include "tests/support/bad_link/loss_process.h"

namespace lwt::testing {

class LossyPort final : public Port {
 public:
  LossyPort(std::unique_ptr<Port> port, bad_link::LossProcess process,
            uint64_t seed)
      : Port(port->info()),
        port_(std::move(port)),
        process_(process),
        random_(seed) {}

  uint16_t Receive(std::span<rte_mbuf*> frames) override {
    return port_->Receive(frames);
  }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override {
    uint16_t taken = 0;
    for (rte_mbuf*& frame : frames) {
      bytes_ += frame->pkt_len;
      if (frame->pkt_len >= kSmallest && IsLost(frame->pkt_len)) {
        ++lost_;
        rte_pktmbuf_free(frame);
      } else if (port_->Transmit({&frame, 1}) == 0) {
        break;
      }
      ++taken;
    }
    return taken;
  }

  int wait_fd() const override { return port_->wait_fd(); }

  void SetLoss(bad_link::LossProcess process) { process_ = process; }
  uint64_t lost() const { return lost_; }
  uint64_t bytes() const { return bytes_; }

  bool active = true;
  // What the link still carries; nothing when less is left than a frame has.
  uint64_t room = UINT64_MAX;

 private:
  // Smaller frames pass: ACKs and reports. Without retransmission the flow
  // stands still for a while where the report of its forward point is lost,
  // and that is not what is measured here.
  static constexpr uint32_t kSmallest = 400;

  bool IsLost(uint32_t size) {
    if (!active) return false;
    if (process_.Next(random_) || room < size) return true;
    if (room != UINT64_MAX) room -= size;
    return false;
  }

  const std::unique_ptr<Port> port_;
  bad_link::LossProcess process_;
  std::mt19937_64 random_;
  uint64_t lost_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace lwt::testing
