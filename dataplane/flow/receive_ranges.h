// What of a stream arrived above the first hole: a sorted, bounded list of
// ranges, and which of them the peer has not been told of (RFC 2018 §4).
//
// Ranges once told are never taken back; when the list is full, an arrival
// that would need a new range is not counted (and comes again). A path of many
// packets in flight has as many holes as it loses in two round trips, so a list
// may borrow a larger place of its worker. Its cost grows with the logarithm of
// its length, except for one move of the spans behind a new one, and of all of
// them where there is no room behind them: 16 KiB each at most. What is filled
// from the front moves nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/names.h"

namespace lwt {

class ReceiveRanges {
 public:
  // Offsets are kept as distances, which fit 32 bits: no window is near 4 GiB.
  struct Span {
    uint32_t begin;
    uint32_t end;
  };
  static constexpr size_t kCapacity = 56;
  static constexpr size_t kLargeCapacity = 2048;
  using LargePlace = std::array<Span, kLargeCapacity>;
  static constexpr size_t kTold = 4;

  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;
    friend bool operator==(const Range&, const Range&) = default;
  };

  // Adds [begin, end), which lies above `base`, the end of the bytes in order.
  // False when the list is full.
  bool Add(uint64_t base, uint64_t begin, uint64_t end);
  // The end of the bytes in order once everything below `base` counts as
  // arrived: takes the ranges that touch it off the list.
  uint64_t Absorb(uint64_t base);

  // Whether all of [begin, end) is in one range.
  bool Holds(uint64_t begin, uint64_t end) const {
    const size_t range = IndexOf(begin);
    return range < size_ && end <= End(range);
  }

  size_t capacity() const {
    return large_ == nullptr ? kCapacity : kLargeCapacity;
  }
  bool full() const { return size_ == capacity(); }
  bool is_large() const { return large_ != nullptr; }
  // Goes on in `place`, which is the list's until Shrink gives it back.
  void Grow(LargePlace* place);
  // Goes on in itself; what there is no room for is not counted any more, and
  // only a list that ends may have that.
  LargePlace* Shrink();

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  Range At(size_t i) const { return {Begin(i), End(i)}; }

  // Ranges that changed since the last Tell, up to kTold.
  size_t untold() const { return untold_; }
  // True when [begin, end) would be one more untold range than `limit`.
  bool WouldOverflow(uint64_t begin, uint64_t end, size_t limit) const;
  // Fills `out` with at most `limit` (≤ kTold) ranges for a SACK option: the
  // latest change first, then those before it, then others in turn.
  size_t Tell(size_t limit, std::array<Range, kTold>& out);

 private:
  Span* place() { return large_ == nullptr ? small_.data() : large_->data(); }
  Span* spans() { return place() + first_; }
  const Span* spans() const {
    return (large_ == nullptr ? small_.data() : large_->data()) + first_;
  }
  uint64_t Begin(size_t i) const { return base_ + spans()[i].begin; }
  uint64_t End(size_t i) const { return base_ + spans()[i].end; }
  void Rebase(uint64_t base);
  void MoveToFront();
  void Remember(uint64_t begin);
  // The index of the range that holds `offset`, or size_.
  size_t IndexOf(uint64_t offset) const;

  uint64_t base_ = 0;  // spans are distances from it
  LargePlace* large_ = nullptr;
  uint16_t size_ = 0;
  uint16_t first_ = 0;  // what was before it is gone
  uint16_t turn_ = 0;
  uint8_t untold_ = 0;
  uint8_t recent_count_ = 0;
  // Where the latest changes were, newest first: an offset inside the range.
  std::array<uint64_t, kTold> recent_{};
  std::array<Span, kCapacity> small_;
};

// Larger places for the lists of one worker; all memory is taken at
// construction. They are for flows that are proven, and one peer has no more
// than an eighth of them, however many flows it has. Taking one walks the
// places' owners.
class RangePlaces {
 public:
  explicit RangePlaces(size_t count)
      : places_(count), owners_(count, PeerIndex::kNone) {}

  // Null when all are in use, or as many by this peer as one may have.
  ReceiveRanges::LargePlace* Take(PeerIndex peer) {
    const auto used = std::count(owners_.begin(), owners_.end(), peer);
    const auto free =
        std::find(owners_.begin(), owners_.end(), PeerIndex::kNone);
    if (static_cast<size_t>(used) >= Share() || free == owners_.end()) {
      return nullptr;
    }
    *free = peer;
    return &places_[static_cast<size_t>(free - owners_.begin())];
  }
  void GiveBack(ReceiveRanges::LargePlace* place) {
    owners_[static_cast<size_t>(place - places_.data())] = PeerIndex::kNone;
  }
  // Of one peer.
  size_t Share() const { return std::max<size_t>(places_.size() / 8, 1); }
  size_t available() const {
    return static_cast<size_t>(
        std::count(owners_.begin(), owners_.end(), PeerIndex::kNone));
  }

 private:
  std::vector<ReceiveRanges::LargePlace> places_;
  std::vector<PeerIndex> owners_;  // of each place
};

}  // namespace lwt
