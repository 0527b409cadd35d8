// The bytes that were sent and not yet acknowledged, of all flows of a worker,
// each segment behind a small header.
//
// Memory is cut into blocks. Segments fill one block after the other; a block
// whose segments are all let go is the next to be filled, while the caches
// still know it. So what is touched is about what is in flight, not the whole
// arena. Where no block is free the oldest is emptied at once.
//
// The arena knows nothing of flows: a flow links its unacknowledged segments by
// `next`. Owned by one worker. All memory is taken at construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/session/flow_id.h"

namespace lwt {

struct SentSegment {
  uint64_t next = 0;      // position of the flow's next segment, or kNone
  uint64_t offset = 0;    // stream offset of the first byte
  uint64_t first_us = 0;  // when it was first sent
  uint64_t last_us = 0;   // when it was last sent
  FlowId flow;
  uint32_t size = 0;    // bytes of payload
  uint32_t stride = 0;  // bytes of arena, this header included
  bool push = false;
  bool retransmitted = false;
  bool kept = false;  // not let go

  uint64_t end() const { return offset + size; }
};
static_assert(sizeof(SentSegment) == 48);

class SentArena {
 public:
  // Bytes from the arena's beginning. Given again once a segment is let go.
  using Position = uint64_t;
  static constexpr Position kNone = UINT64_MAX;
  // Holds any IP packet.
  static constexpr size_t kBlockSize = 128 * 1024;

  // `bytes` is rounded up to whole blocks, and to two.
  explicit SentArena(size_t bytes);

  // True when Push(size) needs no eviction.
  bool Fits(uint32_t size) const;
  // Makes room for `size` payload bytes, to be written to Payload(). The
  // caller has asked Fits().
  Position Push(uint32_t size);
  // Nobody wants the segment any more. Once only.
  void LetGo(Position at);

  // The first segment of the oldest block that holds any, and the next one in
  // its block that is kept; kNone where there is none. While no block is free,
  // letting go of all of them makes one so.
  Position FirstOfOldest() const;
  Position NextKept(Position at) const;

  SentSegment& At(Position at) {
    return *reinterpret_cast<SentSegment*>(&bytes_[at]);
  }
  const SentSegment& At(Position at) const {
    return *reinterpret_cast<const SentSegment*>(&bytes_[at]);
  }
  uint8_t* Payload(Position at) { return &bytes_[at] + sizeof(SentSegment); }

  size_t capacity() const { return blocks_.size() * kBlockSize; }

 private:
  static constexpr size_t kUnit = 64;
  static constexpr uint32_t kNoBlock = UINT32_MAX;
  struct AlignedDelete {
    void operator()(uint8_t* bytes) const;
  };
  struct Block {
    uint32_t kept = 0;  // segments
    uint32_t used = 0;  // bytes
    // Those in use, in the order they were begun.
    uint32_t older = kNoBlock;
    uint32_t newer = kNoBlock;
  };

  static size_t Stride(uint32_t size);
  Position KeptFrom(uint32_t block, size_t used) const;
  void Begin(uint32_t block);
  void Free(uint32_t block);

  std::vector<Block> blocks_;
  std::vector<uint32_t> free_;  // the one freed last is taken first
  uint32_t oldest_ = kNoBlock;
  uint32_t newest_ = kNoBlock;  // the one being filled
  std::unique_ptr<uint8_t[], AlignedDelete> bytes_;
};

}  // namespace lwt
