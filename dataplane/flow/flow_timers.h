// One deadline a flow, in a wheel of milliseconds: arming, cancelling and
// finding the next are O(1).
//
// Arming is lazy: a deadline that moves later leaves the entry where it is, so
// the owner may be called early and arms again. Owned by one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lwt {

class FlowTimers {
 public:
  static constexpr uint32_t kNone = 0xffffffff;
  static constexpr uint64_t kNever = UINT64_MAX;

  explicit FlowTimers(uint32_t slots);

  // Makes PopDue return `slot` no later than a millisecond after the deadline.
  void ArmBy(uint32_t slot, uint64_t deadline_us);
  void Cancel(uint32_t slot);
  // Takes out a slot whose time has come, or kNone.
  uint32_t PopDue(uint64_t now_us);
  uint64_t NextDeadline() const;

 private:
  static constexpr uint64_t kTickUs = 1000;
  static constexpr uint64_t kBuckets = 4096;
  static constexpr size_t kWords = kBuckets / 64;

  struct Node {
    uint32_t next = kNone;
    uint32_t previous = kNone;
    uint64_t tick = kNever;
  };

  void Unlink(uint32_t slot);
  // The first tick at or after now_tick_ with an entry.
  uint64_t NextTick() const;

  uint64_t now_tick_ = 0;
  std::vector<Node> nodes_;
  std::array<uint32_t, kBuckets> heads_;
  std::array<uint64_t, kWords> bits_{};
  uint64_t words_ = 0;  // bit i: bits_[i] is not 0
};

}  // namespace lwt
