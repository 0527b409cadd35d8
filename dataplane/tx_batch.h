// Frames on their way to a port: filled by the stages of one loop iteration,
// emptied by Transmit at its end. Owned by one worker; never grows.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>

#include "drivers/check.h"

namespace lwt {

class TxBatch {
 public:
  static constexpr size_t kCapacity = 512;

  bool full() const { return size_ == kCapacity; }
  size_t room() const { return kCapacity - size_; }
  size_t size() const { return size_; }
  std::span<rte_mbuf*> frames() { return {frames_.data(), size_}; }

  // Takes ownership of `frame`. The caller has checked room().
  void Push(rte_mbuf* frame) {
    LWT_ASSERT(!full());
    frames_[size_++] = frame;
  }
  // Forgets the frames, which a port or the pool has taken.
  void Clear() { size_ = 0; }

 private:
  std::array<rte_mbuf*, kCapacity> frames_;
  size_t size_ = 0;
};

}  // namespace lwt
