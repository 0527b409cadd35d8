// What each lane, or flow, holds of a store that all of a worker share, and
// which of them is to give some back when the store is full.
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

#include "dataplane/names.h"
#include "drivers/check.h"

namespace lwt {

class FairShares {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit FairShares(uint32_t members) : members_(members) {
    heads_.fill(kNone);
  }

  void Add(uint32_t member, uint32_t count) {
    total_ += count;
    SetHeld(member, members_[member].held + count);
  }
  void Remove(uint32_t member, uint32_t count) {
    LWT_ASSERT(count <= members_[member].held);
    total_ -= count;
    SetHeld(member, members_[member].held - count);
  }
  uint32_t total() const { return total_; }
  uint32_t held(uint32_t member) const { return members_[member].held; }
  // kNone while nobody holds anything.
  uint32_t Largest() const {
    return filled_ == 0 ? kNone : heads_[std::bit_width(filled_) - 1];
  }

 private:
  struct Member {
    uint32_t held = 0;
    uint32_t list = 0;  // bit_width(held); in none while it is 0
    uint32_t next = kNone;
    uint32_t previous = kNone;
  };

  void SetHeld(uint32_t member, uint32_t held) {
    members_[member].held = held;
    const auto list = static_cast<uint32_t>(std::bit_width(held));
    if (list != members_[member].list) Move(member, list);
  }
  void Move(uint32_t member, uint32_t list);

  std::vector<Member> members_;
  std::array<uint32_t, 33> heads_;
  uint64_t filled_ = 0;  // bit set of the lists that name a member
  uint32_t total_ = 0;
};

// The same, of members that have names of their own kind.
template <typename Name>
class FairSharesOf {
 public:
  explicit FairSharesOf(uint32_t members) : shares_(members) {}

  void Add(Name member, uint32_t count) { shares_.Add(member.value, count); }
  void Remove(Name member, uint32_t count) {
    shares_.Remove(member.value, count);
  }
  uint32_t total() const { return shares_.total(); }
  uint32_t held(Name member) const { return shares_.held(member.value); }
  // Name::kNone while nobody holds anything.
  Name Largest() const { return {shares_.Largest()}; }

 private:
  static_assert(Name::kNone.value == FairShares::kNone);

  FairShares shares_;
};

using LaneShares = FairSharesOf<LaneIndex>;

}  // namespace lwt
