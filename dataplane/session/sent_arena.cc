#include "dataplane/session/sent_arena.h"

#include <algorithm>

namespace lwt {

SentArena::SentArena(size_t bytes)
    : segments_(std::max<size_t>(2, bytes / kSegmentBytes)) {
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    segments_[i].next = static_cast<Position>(i + 1);
  }
}

SentArena::~SentArena() {
  while (oldest_ != kNone) LetGo(oldest_);
}

SentArena::Position SentArena::Push(rte_mbuf* record) {
  const Position at = free_;
  SentSegment& kept = segments_[at];
  free_ = kept.next;
  kept.next = kNone;
  kept.previous = kNone;
  kept.older = newest_;
  kept.newer = kNone;
  kept.record = record;
  kept.size = record->data_len;
  kept.data_off = record->data_off;
  kept.push = false;
  kept.retransmitted = false;
  kept.sacked = false;
  kept.repaired = false;
  kept.hole = false;
  (newest_ == kNone ? oldest_ : segments_[newest_].newer) = at;
  newest_ = at;
  rte_mbuf_refcnt_update(record, 1);
  return at;
}

void SentArena::LetGo(Position at) {
  SentSegment& kept = segments_[at];
  (kept.older == kNone ? oldest_ : segments_[kept.older].newer) = kept.newer;
  (kept.newer == kNone ? newest_ : segments_[kept.newer].older) = kept.older;
  rte_pktmbuf_free_seg(kept.record);
  kept.record = nullptr;
  kept.next = free_;
  free_ = at;
}

}  // namespace lwt
