// Networks, NATs and hosts of plain TCP in fake time, without any gateway: what
// the tests of NATs and of hole punching share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "tests/support/world/plain_host.h"
#include "tests/support/world/topology.h"

namespace lwt::world {

inline IpAddress Address(const std::string& text) {
  return *ParseIpAddress(text);
}
inline Endpoint At(const std::string& address, uint16_t port) {
  return {Address(address), port};
}

struct NatLab {
  static constexpr uint64_t kMs = 1000;
  static constexpr uint64_t kS = 1'000'000;

  // Whatever is under way arrives, and this much time passes.
  void Run(uint64_t for_us) {
    const uint64_t until_us = now_us + for_us;
    while (now_us < until_us) {
      topology.RunDue();
      now_us = std::min(until_us, topology.NextUs());
    }
    topology.RunDue();
  }

  uint64_t now_us = kS;
  Topology topology{now_us, 1};  // a router between all NATs
};

}  // namespace lwt::world
