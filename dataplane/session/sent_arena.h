// The bytes that were sent and not yet acknowledged, of all flows of a worker:
// one ring, first in first out, each segment behind a small header.
//
// The ring knows nothing of flows. A flow links its unacknowledged segments by
// `next`; a segment that nobody links any more is just passed over when the
// ring comes round. Owned by one worker. All memory is taken at construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/session/flow_id.h"

namespace lwt {

struct SentSegment {
  uint64_t next = 0;      // position of the flow's next segment, or kNone
  uint64_t offset = 0;    // stream offset of the first byte
  uint64_t first_us = 0;  // when it was first sent
  uint64_t last_us = 0;   // when it was last sent
  FlowId flow;
  uint32_t size = 0;    // bytes of payload
  uint32_t stride = 0;  // bytes of ring, this header included
  bool push = false;
  bool retransmitted = false;

  uint64_t end() const { return offset + size; }
};
static_assert(sizeof(SentSegment) == 48);

class SentArena {
 public:
  // Grows for ever; a place in the ring is a position modulo the capacity.
  using Position = uint64_t;
  static constexpr Position kNone = UINT64_MAX;

  // `bytes` is rounded up to whole units of 64, and to one segment at least.
  explicit SentArena(size_t bytes);

  // True when Push(size) needs no eviction.
  bool Fits(uint32_t size) const;
  bool empty() const { return tail_ == head_; }
  // The oldest segment. Not for an empty ring.
  Position oldest() const { return tail_; }
  void PopOldest();

  // Makes room for `size` payload bytes, to be written to Payload(). The
  // caller has asked Fits().
  Position Push(uint32_t size);

  SentSegment& At(Position at) {
    return *reinterpret_cast<SentSegment*>(Place(at));
  }
  const SentSegment& At(Position at) const {
    return *reinterpret_cast<const SentSegment*>(Place(at));
  }
  uint8_t* Payload(Position at) { return Place(at) + sizeof(SentSegment); }

  size_t capacity() const { return capacity_; }

 private:
  static constexpr size_t kUnit = 64;
  struct AlignedDelete {
    void operator()(uint8_t* bytes) const;
  };

  static size_t Stride(uint32_t size);
  // Ring bytes lost at the end of the buffer when `stride` has to be whole.
  size_t Padding(size_t stride) const;
  uint8_t* Place(Position at) const { return bytes_.get() + at % capacity_; }

  const size_t capacity_;
  std::unique_ptr<uint8_t[], AlignedDelete> bytes_;
  Position head_ = 0;
  Position tail_ = 0;
};

}  // namespace lwt
