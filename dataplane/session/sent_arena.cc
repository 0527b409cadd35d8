#include "dataplane/session/sent_arena.h"

#include <algorithm>
#include <new>

namespace lwt {
namespace {

size_t RoundUp(size_t value, size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

void SentArena::AlignedDelete::operator()(uint8_t* bytes) const {
  ::operator delete[](bytes, std::align_val_t(kUnit));
}

SentArena::SentArena(size_t bytes)
    : blocks_(std::max<size_t>(2, RoundUp(bytes, kBlockSize) / kBlockSize)),
      bytes_(new (std::align_val_t(kUnit)) uint8_t[capacity()]) {
  free_.reserve(blocks_.size());
  for (size_t i = blocks_.size(); i > 0; --i) {
    free_.push_back(static_cast<uint32_t>(i - 1));
  }
}

size_t SentArena::Stride(uint32_t size) {
  return RoundUp(sizeof(SentSegment) + size, kUnit);
}

bool SentArena::Fits(uint32_t size) const {
  return !free_.empty() || (newest_ != kNoBlock &&
                            blocks_[newest_].used + Stride(size) <= kBlockSize);
}

void SentArena::Begin(uint32_t index) {
  Block& block = blocks_[index];
  block = {.older = newest_};
  (newest_ == kNoBlock ? oldest_ : blocks_[newest_].newer) = index;
  newest_ = index;
}

void SentArena::Free(uint32_t index) {
  const Block& block = blocks_[index];
  (block.older == kNoBlock ? oldest_ : blocks_[block.older].newer) =
      block.newer;
  (block.newer == kNoBlock ? newest_ : blocks_[block.newer].older) =
      block.older;
  free_.push_back(index);
}

SentArena::Position SentArena::Push(uint32_t size) {
  const size_t stride = Stride(size);
  if (newest_ == kNoBlock || blocks_[newest_].used + stride > kBlockSize) {
    const uint32_t index = free_.back();
    free_.pop_back();
    Begin(index);
  }
  Block& block = blocks_[newest_];
  const Position at = newest_ * kBlockSize + block.used;
  block.used += static_cast<uint32_t>(stride);
  ++block.kept;
  At(at) = SentSegment{.next = kNone,
                       .size = size,
                       .stride = static_cast<uint32_t>(stride),
                       .kept = true};
  return at;
}

void SentArena::LetGo(Position at) {
  At(at).kept = false;
  const auto index = static_cast<uint32_t>(at / kBlockSize);
  Block& block = blocks_[index];
  if (--block.kept > 0) return;
  if (index == newest_) {
    block.used = 0;
  } else {
    Free(index);
  }
}

SentArena::Position SentArena::KeptFrom(uint32_t index, size_t used) const {
  while (used < blocks_[index].used) {
    const Position at = index * kBlockSize + used;
    if (At(at).kept) return at;
    used += At(at).stride;
  }
  return kNone;
}

SentArena::Position SentArena::FirstOfOldest() const {
  return oldest_ == kNoBlock ? kNone : KeptFrom(oldest_, 0);
}

SentArena::Position SentArena::NextKept(Position at) const {
  return KeptFrom(static_cast<uint32_t>(at / kBlockSize),
                  at % kBlockSize + At(at).stride);
}

}  // namespace lwt
