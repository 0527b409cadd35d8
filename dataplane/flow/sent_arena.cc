#include "dataplane/flow/sent_arena.h"

#include <algorithm>

namespace lwt {

SentArena::SentArena(size_t bytes, uint32_t flows)
    : segments_(std::max<size_t>(2, bytes / kSegmentBytes)), shares_(flows) {
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    segments_[i].next = static_cast<Position>(i + 1);
  }
}

SentArena::~SentArena() {
  for (const SentSegment& kept : segments_) {
    if (kept.record != nullptr) rte_pktmbuf_free_seg(kept.record);
  }
}

SentArena::Position SentArena::Push(rte_mbuf* record, uint32_t slot) {
  const Position at = free_;
  LWT_ASSERT(at != kNone);
  SentSegment& kept = segments_[at];
  free_ = kept.next;
  kept.next = kNone;
  kept.previous = kNone;
  kept.record = record;
  kept.size = record->data_len;
  kept.data_off = record->data_off;
  kept.slot = static_cast<uint16_t>(slot);
  kept.push = false;
  kept.retransmitted = false;
  kept.sacked = false;
  kept.repaired = false;
  kept.hole = false;
  kept.in_parts = false;
  kept.copies = 1;
  shares_.Add(slot, 1);
  rte_mbuf_refcnt_update(record, 1);
  return at;
}

void SentArena::LetGo(Position at) {
  SentSegment& kept = segments_[at];
  shares_.Remove(kept.slot, 1);
  rte_pktmbuf_free_seg(kept.record);
  kept.record = nullptr;
  kept.next = free_;
  free_ = at;
}

}  // namespace lwt
