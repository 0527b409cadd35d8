#include "dataplane/session/sent_arena.h"

#include <algorithm>
#include <new>

namespace lwt {
namespace {

// No segment is larger than an IP packet.
constexpr size_t kMinCapacity = 128 * 1024;

size_t RoundUp(size_t value, size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

void SentArena::AlignedDelete::operator()(uint8_t* bytes) const {
  ::operator delete[](bytes, std::align_val_t(kUnit));
}

SentArena::SentArena(size_t bytes)
    : capacity_(RoundUp(std::max(bytes, kMinCapacity), kUnit)),
      bytes_(new (std::align_val_t(kUnit)) uint8_t[capacity_]) {}

size_t SentArena::Stride(uint32_t size) {
  return RoundUp(sizeof(SentSegment) + size, kUnit);
}

size_t SentArena::Padding(size_t stride) const {
  const size_t to_end = capacity_ - head_ % capacity_;
  return stride <= to_end ? 0 : to_end;
}

bool SentArena::Fits(uint32_t size) const {
  const size_t stride = Stride(size);
  return head_ + Padding(stride) + stride - tail_ <= capacity_;
}

void SentArena::PopOldest() { tail_ += At(tail_).stride; }

SentArena::Position SentArena::Push(uint32_t size) {
  const size_t stride = Stride(size);
  const size_t padding = Padding(stride);
  if (padding != 0) {
    // A segment of no flow fills the end of the buffer.
    At(head_) = SentSegment{.stride = static_cast<uint32_t>(padding)};
    head_ += padding;
  }
  const Position at = head_;
  At(at) = SentSegment{
      .next = kNone, .size = size, .stride = static_cast<uint32_t>(stride)};
  head_ += stride;
  return at;
}

}  // namespace lwt
