// Several uplinks as one: a host that is reached by any of its interfaces has a
// port on each, and a worker sees one port. A frame tells by its `port` which
// it came by and is to leave by.
//
// Nothing grows with the number of uplinks but an empty read of each now and
// then: those that lately had nothing are read in one turn of eight while
// others have something.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "drivers/ports/uplink.h"
#include "drivers/scoped_fd.h"

namespace lwt {

class JoinedUplink final : public Uplink {
 public:
  static constexpr size_t kMost = 16;
  // More of them, so that one that takes another's place has a number.
  static constexpr size_t kNumbers = 2 * kMost;
  static_assert(kNumbers == kLegs);
  // Of frames, that a worker sends in one call.
  static constexpr size_t kBatch = 512;

  struct Leg {
    uint8_t number = 0;  // UplinkSpec::leg, less than kNumbers, each once
    Uplink* uplink = nullptr;
  };

  // One to kMost legs, which outlive it, all with as many ports and a wait_fd.
  // The first stands for all in info().
  static absl::StatusOr<std::unique_ptr<JoinedUplink>> Join(
      std::span<const Leg> legs);

  absl::Status SetEndpoints(std::span<const Endpoint> endpoints) override;
  uint16_t port_count() const override {
    return static_cast<uint16_t>(1 + others_.size());
  }
  Port& port(uint16_t index) override;
  uint16_t Receive(std::span<rte_mbuf*> frames) override;
  // kBatch at most. What a leg does not take holds up no other: it stands
  // behind those that were taken. Frames of a leg that is not there are taken,
  // freed and counted: their link header is for another link.
  uint16_t Transmit(std::span<rte_mbuf*> frames) override;
  int wait_fd() const override { return wait_.get(); }
  // Sums.
  PortReading ReadCounters() const override;
  // What is counted here and not by the legs, of all ports.
  PortReading ReadOwn() const;

 private:
  static constexpr uint32_t kQuietTurns = 8;
  struct Place {
    Port* port = nullptr;
    bool quiet = false;  // nothing came at the last read
  };

  static absl::StatusOr<std::unique_ptr<JoinedUplink>> JoinPorts(
      std::span<const Leg> legs, uint16_t index);
  JoinedUplink(std::span<const Leg> legs, ScopedFd wait);

  uint16_t ReadThose(bool quiet, std::span<rte_mbuf*> frames);
  Port* PortOf(const rte_mbuf* frame) const;
  uint16_t TransmitAll(Port* port, std::span<rte_mbuf*> frames);

  const ScopedFd wait_;  // an epoll of all
  std::vector<Uplink*> uplinks_;
  std::vector<Place> places_;
  std::array<Port*, kNumbers> by_number_{};
  std::vector<std::unique_ptr<JoinedUplink>> others_;  // of the first only
  uint32_t turn_ = 0;
  std::atomic<uint64_t> astray_ = 0;  // written by the worker
  std::array<rte_mbuf*, kBatch> batch_;
  std::array<rte_mbuf*, kBatch> refused_;
};

}  // namespace lwt
