// Names of an outer flow: the worker that has it, its slot in that worker's
// table and the slot's generation, so that the name of a flow that is gone
// matches no later one: at a million flows a second in one slot the generations
// last for 200 days.
#pragma once

#include <cstdint>

namespace lwt {

// As many as a flow's name can tell apart.
inline constexpr uint32_t kMaxWorkers = 16;

struct FlowId {
  static constexpr uint32_t kSlotBits = 16;
  static constexpr uint32_t kWorkerBits = 4;
  static constexpr uint32_t kMaxSlots = 1u << kSlotBits;
  static constexpr uint32_t kGenerationBits = 64 - kSlotBits - kWorkerBits;

  uint64_t value = 0;

  // A generation is never 0, so no flow is named by 0.
  static constexpr FlowId Of(uint32_t slot, uint64_t generation,
                             uint32_t worker = 0) {
    return {(generation << kWorkerBits | worker) << kSlotBits | slot};
  }
  constexpr uint32_t slot() const {
    return static_cast<uint32_t>(value & (kMaxSlots - 1));
  }
  constexpr uint32_t worker() const {
    return static_cast<uint32_t>(value >> kSlotBits & (kMaxWorkers - 1));
  }
  constexpr uint64_t generation() const {
    return value >> (kSlotBits + kWorkerBits);
  }

  friend constexpr bool operator==(FlowId, FlowId) = default;
};
static_assert(1u << FlowId::kWorkerBits == kMaxWorkers);

inline constexpr FlowId kNullFlow{};

// The `user` of a flow whose peer has not proven the key.
inline constexpr uint32_t kNoUser = 0xffffffff;

}  // namespace lwt
