// A hub with one worker or two, and two peers with a lane each: what control
// makes of it on queues of their own, so that a peer's frames come to the
// worker that has its lane. With two workers there are rings for what is handed
// over and one snapshot with the directory of flows, as in a gateway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/exchange/handoff.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {

class TwoPeerHub {
 public:
  static constexpr uint32_t kPeers = 2;
  // Packets of a step each way; with two peers at one worker, half of each.
  static constexpr size_t kBurst = 32;
  static constexpr size_t kPacketsOfStep = 2 * kBurst;

  explicit TwoPeerHub(uint32_t workers);

  // One burst from the clients of this worker and one to them. Returns the
  // cycles of the hub's worker alone. Each worker is stepped by one thread at a
  // time. Aborts the process when a packet is missing.
  uint64_t Step(uint32_t worker);

 private:
  // A worker of the hub, and the clients of its peers, which are one gateway.
  struct Part {
    std::unique_ptr<testing::GatewayPair> pair;
    std::vector<testing::Bytes> to_hub;  // by peer
    std::vector<testing::Bytes> to_client;
    bool started = false;
  };

  void AddPart(uint32_t worker, uint32_t workers);

  std::unique_ptr<Handoff> handoff_;  // outlives the workers
  std::vector<Part> parts_;
};

}  // namespace lwt::bench
