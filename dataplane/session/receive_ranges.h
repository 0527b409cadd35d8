// What of a stream arrived above the first hole: a sorted, bounded list of
// ranges, and which of them the peer has not been told of (RFC 2018 §4).
//
// Ranges once told are never taken back; when the list is full, an arrival
// that would need a new range is not counted (and comes again).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lwt {

class ReceiveRanges {
 public:
  static constexpr size_t kCapacity = 56;
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
  // Offsets are kept as distances from base_, which fit 32 bits: no window is
  // near 4 GiB.
  struct Span {
    uint32_t begin;
    uint32_t end;
  };

  uint64_t Begin(size_t i) const { return base_ + spans_[i].begin; }
  uint64_t End(size_t i) const { return base_ + spans_[i].end; }
  void Rebase(uint64_t base);
  void Remember(uint64_t begin);
  // The index of the range that holds `offset`, or size_.
  size_t IndexOf(uint64_t offset) const;

  uint64_t base_ = 0;
  uint8_t size_ = 0;
  uint8_t untold_ = 0;
  uint8_t turn_ = 0;
  uint8_t recent_count_ = 0;
  // Where the latest changes were, newest first: an offset inside the range.
  std::array<uint64_t, kTold> recent_{};
  std::array<Span, kCapacity> spans_;
};

}  // namespace lwt
