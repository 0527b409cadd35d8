#include "dataplane/flow/receive_ranges.h"

#include <algorithm>

namespace lwt {
namespace {

// A distance that leaves room for any window in 32 bits.
constexpr uint64_t kFarFromBase = uint64_t{1} << 31;

}  // namespace

void ReceiveRanges::MoveToFront() {
  std::copy_n(spans(), size_, place());
  first_ = 0;
}

void ReceiveRanges::Grow(LargePlace* place) {
  std::copy_n(spans(), size_, place->begin());
  large_ = place;
  first_ = 0;
}

ReceiveRanges::LargePlace* ReceiveRanges::Shrink() {
  LargePlace* const place = large_;
  size_ = std::min<uint16_t>(size_, kCapacity);
  std::copy_n(spans(), size_, small_.begin());
  large_ = nullptr;
  first_ = 0;
  return place;
}

void ReceiveRanges::Rebase(uint64_t base) {
  const auto shift = static_cast<uint32_t>(base - base_);
  Span* const list = spans();
  for (size_t i = 0; i < size_; ++i) {
    list[i].begin -= shift;
    list[i].end -= shift;
  }
  base_ = base;
}

size_t ReceiveRanges::IndexOf(uint64_t offset) const {
  if (size_ == 0 || offset < base_ || offset >= End(size_ - 1u)) return size_;
  const auto distance = static_cast<uint32_t>(offset - base_);
  const Span* const list = spans();
  // The first that ends behind the offset.
  const Span* const at = std::upper_bound(
      list, list + size_, distance,
      [](uint32_t value, const Span& span) { return value < span.end; });
  return at->begin <= distance ? static_cast<size_t>(at - list) : size_;
}

bool ReceiveRanges::Add(uint64_t base, uint64_t begin, uint64_t end) {
  if (size_ == 0) {
    base_ = base;
    first_ = 0;
    recent_count_ = 0;
    untold_ = 0;
  }
  auto from = static_cast<uint32_t>(begin - base_);
  auto to = static_cast<uint32_t>(end - base_);
  if (first_ + size_ == capacity()) MoveToFront();
  Span* const list = spans();
  // The ranges [first, last) touch the new one and become one with it.
  const auto first = static_cast<size_t>(
      std::lower_bound(
          list, list + size_, from,
          [](const Span& span, uint32_t value) { return span.end < value; }) -
      list);
  size_t last = first;
  while (last < size_ && list[last].begin <= to) {
    from = std::min(from, list[last].begin);
    to = std::max(to, list[last].end);
    ++last;
  }
  if (last == first) {
    if (full()) return false;
    std::copy_backward(list + first, list + size_, list + size_ + 1);
    ++size_;
  } else {
    std::copy(list + last, list + size_, list + first + 1);
    size_ = static_cast<uint16_t>(size_ - (last - first - 1));
  }
  list[first] = {from, to};
  Remember(begin);
  return true;
}

uint64_t ReceiveRanges::Absorb(uint64_t base) {
  size_t gone = 0;
  while (gone < size_ && Begin(gone) <= base) {
    base = std::max(base, End(gone));
    ++gone;
  }
  first_ = static_cast<uint16_t>(first_ + gone);
  size_ = static_cast<uint16_t>(size_ - gone);
  if (size_ != 0) {
    if (base - base_ > kFarFromBase) Rebase(base);
  } else {
    untold_ = 0;
    recent_count_ = 0;
  }
  return base;
}

void ReceiveRanges::Remember(uint64_t begin) {
  const size_t range = IndexOf(begin);
  size_t kept = 0;
  uint8_t untold = 1;
  std::array<uint64_t, kTold> recent;
  recent[kept++] = begin;
  for (size_t i = 0; i < recent_count_; ++i) {
    const size_t other = IndexOf(recent_[i]);
    if (other == range || other == size_ || kept == kTold) continue;
    if (i < untold_) ++untold;
    recent[kept++] = recent_[i];
  }
  recent_ = recent;
  recent_count_ = static_cast<uint8_t>(kept);
  untold_ = untold;
}

bool ReceiveRanges::WouldOverflow(uint64_t begin, uint64_t end,
                                  size_t limit) const {
  if (size_ == 0 || untold_ < limit) return false;
  for (size_t i = 0; i < untold_; ++i) {
    const size_t range = IndexOf(recent_[i]);
    if (range == size_) continue;
    if (begin <= End(range) && end >= Begin(range)) return false;
  }
  return true;
}

size_t ReceiveRanges::Tell(size_t limit, std::array<Range, kTold>& out) {
  size_t told = 0;
  const auto is_told = [&](const Range& range) {
    return std::find(out.begin(), out.begin() + told, range) !=
           out.begin() + told;
  };
  for (size_t i = 0; i < recent_count_ && told < limit; ++i) {
    const size_t range = IndexOf(recent_[i]);
    if (range < size_ && !is_told(At(range))) out[told++] = At(range);
  }
  for (size_t i = 0; i < size_ && told < limit; ++i) {
    turn_ = static_cast<uint16_t>((turn_ + 1u) % size_);
    if (!is_told(At(turn_))) out[told++] = At(turn_);
  }
  untold_ = 0;
  return told;
}

}  // namespace lwt
