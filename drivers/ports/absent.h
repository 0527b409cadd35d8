// The uplink of a gateway that has no interface to the outside yet: nothing
// comes in by it, and what is sent is dropped and counted as refused. Workers
// run on it, and sleep, until another takes its place.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "drivers/ports/uplink.h"
#include "drivers/scoped_fd.h"

namespace lwt {

class AbsentUplink final : public Uplink {
 public:
  // `ports` as in UplinkSpec. Of the MTU of Ethernet, for want of a link's own.
  static absl::StatusOr<std::unique_ptr<AbsentUplink>> Open(uint16_t ports);

  absl::Status SetEndpoints(std::span<const Endpoint>) override {
    return absl::OkStatus();
  }
  uint16_t port_count() const override {
    return static_cast<uint16_t>(1 + others_.size());
  }
  Port& port(uint16_t index) override;

  uint16_t Receive(std::span<rte_mbuf*>) override { return 0; }
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return never_.get(); }
  PortReading ReadCounters() const override;

 private:
  AbsentUplink(PortInfo info, ScopedFd never)
      : Uplink(std::move(info), /*ifindex=*/0), never_(std::move(never)) {}
  static absl::StatusOr<std::unique_ptr<AbsentUplink>> OpenOne();

  const ScopedFd never_;                               // is never readable
  std::vector<std::unique_ptr<AbsentUplink>> others_;  // of the first only
  std::atomic<uint64_t> refused_ = 0;  // written by the worker only
};

}  // namespace lwt
