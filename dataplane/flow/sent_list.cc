#include "dataplane/flow/sent_list.h"

#include <algorithm>

namespace lwt {
namespace {

// Of a place in the treap. A fixed shuffle does: nobody outside knows which
// segment lies where, and who did could leave, by what it SACKs, a branch of
// about twice the root of the number of segments, no longer one.
uint32_t Priority(SentArena::Position at) {
  uint32_t value = at * 0x9e3779b1u;
  value ^= value >> 15;
  value *= 0x85ebca77u;
  return value ^ value >> 13;
}

}  // namespace

void SentList::StopWaiting(SentArena& arena, Position at) {
  SentSegment& segment = arena.At(at);
  if (!segment.repaired) return;
  const Position earlier = segment.earlier;
  const Position later = segment.later;
  Ends& ends = repaired_[segment.rank];
  (earlier == kNone ? ends.first : arena.At(earlier).later) = later;
  (later == kNone ? ends.last : arena.At(later).earlier) = earlier;
  segment.repaired = false;
}

void SentList::SentAgain(SentArena& arena, Position at) {
  StopWaiting(arena, at);
  SentSegment& segment = arena.At(at);
  segment.retransmitted = true;
  segment.sacked = false;
  if (segment.copies > kRepairs) return;
  segment.repaired = true;
  segment.rank = static_cast<uint8_t>(std::max<int>(segment.copies, 2) - 2);
  Ends& ends = repaired_[segment.rank];
  segment.later = kNone;
  segment.earlier = ends.last;
  (ends.last == kNone ? ends.first : arena.At(ends.last).later) = at;
  ends.last = at;
}

SentList::Position SentList::FirstFresh(const SentArena& arena) {
  while (fresh_ != kNone &&
         (arena.At(fresh_).retransmitted || arena.At(fresh_).sacked)) {
    fresh_ = arena.At(fresh_).next;
  }
  return fresh_;
}

void SentList::Append(SentArena& arena, Position at) {
  if (fresh_ == kNone) fresh_ = at;
  arena.At(at).previous = tail_;
  (tail_ == kNone ? head_ : arena.At(tail_).next) = at;
  tail_ = at;
}

void SentList::Remove(SentArena& arena, Position at) {
  const SentSegment& segment = arena.At(at);
  if (segment.repaired) StopWaiting(arena, at);
  if (segment.hole) DropHole(arena, at);
  const Position previous = segment.previous;
  const Position next = segment.next;
  if (fresh_ == at) fresh_ = next;
  (previous == kNone ? head_ : arena.At(previous).next) = next;
  (next == kNone ? tail_ : arena.At(next).previous) = previous;
  arena.LetGo(at);
}

// The treap's: it decides alone how deep a hole lies.
void SentList::AddLastHole(SentArena& arena, Position at) {
  Position* link = &root_;
  while (*link != kNone && Priority(*link) > Priority(at)) {
    link = &arena.At(*link).right;
  }
  SentSegment& segment = arena.At(at);
  segment.left = *link;
  segment.right = kNone;
  segment.hole = true;
  *link = at;
  last_hole_ = at;
}

void SentList::DropHole(SentArena& arena, Position at) {
  SentSegment& gone = arena.At(at);
  Position* link = &root_;
  while (*link != at) {
    SentSegment& above = arena.At(*link);
    link = gone.offset < above.offset ? &above.left : &above.right;
  }
  // What was below it becomes one tree.
  Position left = gone.left;
  Position right = gone.right;
  while (left != kNone && right != kNone) {
    if (Priority(left) > Priority(right)) {
      *link = left;
      link = &arena.At(left).right;
      left = *link;
    } else {
      *link = right;
      link = &arena.At(right).left;
      right = *link;
    }
  }
  *link = left != kNone ? left : right;
  gone.hole = false;
  if (last_hole_ == at) last_hole_ = gone.previous;
}

SentList::Position SentList::Find(const SentArena& arena, uint64_t offset,
                                  uint64_t& steps) const {
  Position found = BehindHoles(arena);
  for (Position at = root_; at != kNone; ++steps) {
    const SentSegment& segment = arena.At(at);
    if (segment.offset >= offset) {
      found = at;
      at = segment.left;
    } else {
      at = segment.right;
    }
  }
  return found;
}

SentList::Position SentList::FindAbove(SentArena& arena, uint64_t offset) {
  Position at = BehindHoles(arena);
  while (at != kNone && arena.At(at).offset < offset) {
    AddLastHole(arena, at);
    at = arena.At(at).next;
  }
  return at;
}

}  // namespace lwt
