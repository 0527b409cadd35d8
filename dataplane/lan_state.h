// What a worker with a LAN port keeps beside the rest: frames under way, and
// what bounds its answers and questions.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/event_budget.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

// Packets and super-frames from a port of the inside, and how far Collect has
// come in them. Few at once: what is read is still in the cache when it is
// split.
struct CollectedPackets {
  static constexpr size_t kCapacity = 8;
  std::array<rte_mbuf*, kCapacity> mbufs;
  size_t count = 0;
  size_t next = 0;
  uint16_t next_segment = 0;  // of the super-frame at `next`
  bool loses_last = false;    // that one: the last of its packets

  bool drained() const { return next == count; }
};

// Addresses that control was asked to resolve, so that a burst of packets makes
// one question. One that is overwritten is asked again at once, which the
// budget bounds.
class AskedAddresses {
 public:
  static constexpr uint64_t kAgainUs = 1'000'000;

  // Whether to ask now.
  bool ShouldAsk(const IpAddress& address, uint64_t now_us) {
    uint32_t hash = 0;
    for (const uint8_t byte : address.bytes) hash = hash * 31 + byte;
    Slot& slot = slots_[hash % kSlots];
    if (slot.address == address && now_us < slot.again_us) return false;
    if (!budget_.Take(now_us)) return false;
    slot = {address, now_us + kAgainUs};
    return true;
  }

 private:
  static constexpr size_t kSlots = 64;
  struct Slot {
    IpAddress address;
    uint64_t again_us = 0;
  };
  std::array<Slot, kSlots> slots_{};
  EventBudget budget_{200};
};

struct LanState {
  CollectedPackets collected;
  AskedAddresses asked;
};

}  // namespace lwt
