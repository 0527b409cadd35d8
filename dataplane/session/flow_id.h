// Names of an outer flow: its slot in the table and the slot's generation, so
// that the name of a flow that is gone matches no later one.
#pragma once

#include <cstdint>

namespace lwt {

struct FlowId {
  static constexpr uint32_t kSlotBits = 20;
  static constexpr uint32_t kMaxSlots = 1u << kSlotBits;

  uint32_t value = 0;

  // A generation is never 0, so no flow is named by 0.
  static constexpr FlowId Of(uint32_t slot, uint32_t generation) {
    return {generation << kSlotBits | slot};
  }
  constexpr uint32_t slot() const { return value & (kMaxSlots - 1); }
  constexpr uint32_t generation() const { return value >> kSlotBits; }

  friend constexpr bool operator==(FlowId, FlowId) = default;
};

inline constexpr FlowId kNullFlow{};

// The `user` of a flow whose peer has not proven the key.
inline constexpr uint32_t kNoUser = 0xffffffff;

}  // namespace lwt
