// What each lane holds of a store that all lanes of a worker share, and which
// of them is to give some back when the store is full.
//
// Lanes stand in lists by the power of two that their count reaches, so the
// lane that Largest names holds more than half of what any other does. With n
// lanes in a full store of s things, one that holds no more than s / (2 n) is
// therefore never named: it keeps half of an equal share at least, whatever the
// others do, and one lane alone has all.
//
// Owned by one worker. All memory is taken at construction; every call costs
// O(1), and a count that stays within its power of two a comparison.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "drivers/check.h"

namespace lwt {

class FairShares {
 public:
  static constexpr uint32_t kNone = 0xffffffff;

  explicit FairShares(uint32_t lanes) : lanes_(lanes) { heads_.fill(kNone); }

  void Add(uint32_t lane, uint32_t count) {
    total_ += count;
    SetHeld(lane, lanes_[lane].held + count);
  }
  void Remove(uint32_t lane, uint32_t count) {
    LWT_ASSERT(count <= lanes_[lane].held);
    total_ -= count;
    SetHeld(lane, lanes_[lane].held - count);
  }
  uint32_t total() const { return total_; }
  uint32_t held(uint32_t lane) const { return lanes_[lane].held; }
  // kNone while nobody holds anything.
  uint32_t Largest() const {
    return filled_ == 0 ? kNone : heads_[std::bit_width(filled_) - 1];
  }

 private:
  struct Lane {
    uint32_t held = 0;
    uint32_t list = 0;  // bit_width(held); in none while it is 0
    uint32_t next = kNone;
    uint32_t previous = kNone;
  };

  void SetHeld(uint32_t lane, uint32_t held) {
    lanes_[lane].held = held;
    const auto list = static_cast<uint32_t>(std::bit_width(held));
    if (list != lanes_[lane].list) Move(lane, list);
  }
  void Move(uint32_t lane, uint32_t list);

  std::vector<Lane> lanes_;
  std::array<uint32_t, 33> heads_;
  uint64_t filled_ = 0;  // bit set of the lists that name a lane
  uint32_t total_ = 0;
};

}  // namespace lwt
