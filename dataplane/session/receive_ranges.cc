#include "dataplane/session/receive_ranges.h"

#include <algorithm>

namespace lwt {

void ReceiveRanges::Rebase(uint64_t base) {
  const auto shift = static_cast<uint32_t>(base - base_);
  for (size_t i = 0; i < size_; ++i) {
    spans_[i].begin -= shift;
    spans_[i].end -= shift;
  }
  base_ = base;
}

size_t ReceiveRanges::IndexOf(uint64_t offset) const {
  for (size_t i = 0; i < size_; ++i) {
    if (offset >= Begin(i) && offset < End(i)) return i;
  }
  return size_;
}

bool ReceiveRanges::Add(uint64_t base, uint64_t begin, uint64_t end) {
  if (size_ == 0) {
    base_ = base;
    recent_count_ = 0;
    untold_ = 0;
  }
  auto from = static_cast<uint32_t>(begin - base_);
  auto to = static_cast<uint32_t>(end - base_);
  // The ranges [first, last) touch the new one and become one with it.
  size_t first = size_;
  while (first > 0 && spans_[first - 1].end >= from) --first;
  size_t last = first;
  while (last < size_ && spans_[last].begin <= to) {
    from = std::min(from, spans_[last].begin);
    to = std::max(to, spans_[last].end);
    ++last;
  }
  if (last == first) {
    if (size_ == kCapacity) return false;
    std::copy_backward(spans_.begin() + first, spans_.begin() + size_,
                       spans_.begin() + size_ + 1);
    ++size_;
  } else {
    std::copy(spans_.begin() + last, spans_.begin() + size_,
              spans_.begin() + first + 1);
    size_ = static_cast<uint8_t>(size_ - (last - first - 1));
  }
  spans_[first] = {from, to};
  Remember(begin);
  return true;
}

uint64_t ReceiveRanges::Absorb(uint64_t base) {
  size_t gone = 0;
  while (gone < size_ && Begin(gone) <= base) {
    base = std::max(base, End(gone));
    ++gone;
  }
  if (gone != 0) {
    std::copy(spans_.begin() + gone, spans_.begin() + size_, spans_.begin());
    size_ = static_cast<uint8_t>(size_ - gone);
  }
  if (size_ != 0) {
    Rebase(base);
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
    turn_ = static_cast<uint8_t>((turn_ + 1u) % size_);
    if (!is_told(At(turn_))) out[told++] = At(turn_);
  }
  untold_ = 0;
  return told;
}

}  // namespace lwt
