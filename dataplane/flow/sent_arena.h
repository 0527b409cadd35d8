// The records that were sent and not yet acknowledged, of all flows of a
// worker: a reference of each mbuf, so that nothing is copied to be kept.
// Whoever transmits may read a record's bytes and write in front of them, but
// the bytes themselves stay as they were sealed.
//
// A fixed number of segments; the mbufs are the pool's, which has to have as
// many more. Where all are in use the flow that keeps most makes room, so that
// one that acknowledges nothing does not take from the others what they need
// for repair. A segment let go last is the first to be used again, while the
// caches know it.
//
// The arena knows flows by their slots only: a flow links its unacknowledged
// segments itself. Owned by one worker. All memory is taken at construction.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/fair_shares.h"

namespace lwt {

struct alignas(64) SentSegment {
  // Neighbours in the flow's list, see SentList; kNone at an end.
  uint32_t next = UINT32_MAX;
  uint32_t previous = UINT32_MAX;
  // Among those sent again, where `repaired`; in the tree, where `hole`.
  uint32_t later;
  uint32_t earlier;
  uint32_t left;
  uint32_t right;
  uint64_t offset = 0;         // stream offset of the first byte
  uint64_t first_us = 0;       // when it was first sent
  uint64_t last_us = 0;        // when it was last sent
  rte_mbuf* record = nullptr;  // null where no segment is kept
  uint16_t size = 0;           // bytes of payload
  uint16_t data_off = 0;       // of the payload in the mbuf's buffer
  uint16_t slot = 0;           // of the flow
  uint8_t copies = 0;          // that were sent, itself among them
  bool push : 1 = false;
  bool retransmitted : 1 = false;
  bool sacked : 1 = false;  // and kept: a stream's, see OuterTcp::Deliver
  bool repaired : 1 = false;
  bool hole : 1 = false;
  bool in_parts : 1 = false;  // the last copy was
  uint8_t rank : 2 = 0;       // where `repaired`, see SentList

  uint64_t end() const { return offset + size; }
};
static_assert(sizeof(SentSegment) == 64);

class SentArena {
 public:
  // A segment's place. Given again once it is let go.
  using Position = uint32_t;
  static constexpr Position kNone = UINT32_MAX;
  // What a segment counts for where the arena's size is told in bytes: the
  // data room of its mbuf.
  static constexpr size_t kSegmentBytes = 2048;

  // `bytes` is rounded down to segments, two at least. Slots of flows are below
  // `flows`.
  SentArena(size_t bytes, uint32_t flows);
  SentArena(const SentArena&) = delete;
  SentArena& operator=(const SentArena&) = delete;
  ~SentArena();

  bool full() const { return free_ == kNone; }
  size_t capacity() const { return segments_.size(); }

  // Keeps the data of a mbuf of one piece for the flow in a slot, with one more
  // reference of it. Not when full().
  Position Push(rte_mbuf* record, uint32_t slot);
  // Nobody wants the segment any more. Once only.
  void LetGo(Position at);
  // Which flow keeps what.
  const FairShares& shares() const { return shares_; }

  SentSegment& At(Position at) { return segments_[at]; }
  const SentSegment& At(Position at) const { return segments_[at]; }
  const uint8_t* Payload(Position at) const {
    const SentSegment& kept = segments_[at];
    return static_cast<const uint8_t*>(kept.record->buf_addr) + kept.data_off;
  }

 private:
  std::vector<SentSegment> segments_;
  Position free_ = 0;  // the first of those not in use, linked by `next`
  FairShares shares_;  // segments of each flow
};

}  // namespace lwt
