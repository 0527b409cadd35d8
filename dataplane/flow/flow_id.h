// Names of an outer flow: the worker that has it, its slot in that worker's
// table and the slot's generation, so that the name of a flow that is gone
// matches no later one: at a million flows a second in one slot the generations
// last for 200 days.
#pragma once

#include <cstdint>

#include "dataplane/braced_number.h"
#include "dataplane/names.h"

namespace lwt {

struct FlowId {
  static constexpr uint32_t kSlotBits = 16;
  static constexpr uint32_t kWorkerBits = 4;
  static constexpr uint32_t kMaxSlots = 1u << kSlotBits;
  static constexpr uint32_t kGenerationBits = 64 - kSlotBits - kWorkerBits;

  uint64_t value = 0;

  constexpr FlowId() = default;
  // By braces alone. NOLINTNEXTLINE(google-explicit-constructor)
  constexpr FlowId(BracedNumber<uint64_t> number) : value(number.value()) {}
  // A generation is never 0, so no flow is named by 0.
  static constexpr FlowId Of(uint32_t slot, uint64_t generation,
                             WorkerIndex worker = WorkerIndex{0}) {
    return {(generation << kWorkerBits | worker.value) << kSlotBits | slot};
  }
  constexpr uint32_t slot() const {
    return static_cast<uint32_t>(value & (kMaxSlots - 1));
  }
  constexpr WorkerIndex worker() const {
    return {static_cast<uint32_t>(value >> kSlotBits & (kMaxWorkers - 1))};
  }
  constexpr uint64_t generation() const {
    return value >> (kSlotBits + kWorkerBits);
  }

  friend constexpr bool operator==(FlowId, FlowId) = default;
};
static_assert(1u << FlowId::kWorkerBits == kMaxWorkers);

inline constexpr FlowId kNullFlow{};

}  // namespace lwt
