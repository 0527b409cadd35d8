// The unacknowledged segments of one flow, in the arena's segments: by offset,
// less those that were SACKed, which for those sent once is also the order of
// sending; and those that were sent again by the time of that, apart by how
// often, since each further copy waits longer. In these orders they are taken
// for lost (RFC 8985 §6.2).
//
// Those below the highest SACKed offset, the holes of the peer, are in a tree
// too, since a SACK block may name any of them: a treap (Seidel and Aragon
// 1996), whose shape a peer has no hand in. A change of the lists costs O(1), a
// look-up of a hole and its end O(log n) in the mean; a flow without holes has
// no tree. A plain record in its flow; all memory is the arena's.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/sent_arena.h"

namespace lwt {

class SentList {
 public:
  using Position = SentArena::Position;
  static constexpr Position kNone = SentArena::kNone;

  bool empty() const { return head_ == kNone; }
  Position head() const { return head_; }
  Position tail() const { return tail_; }
  // Of those that are waited for and were sent once, the one sent first. Costs
  // the segments passed since the last call.
  Position FirstFresh(const SentArena& arena);
  // How often what is waited for may have been sent again: more often, and it
  // is not waited for any more but by the timeout. Each rank has its own order.
  static constexpr uint8_t kRepairs = 4;
  static constexpr uint8_t kRanks = kRepairs - 1;
  // Of those of a rank, sent again (rank + 1) times, the one for which that is
  // longest ago; the others follow by `later`.
  Position first_repaired(uint8_t rank) const { return repaired_[rank].first; }

  // A segment behind all others, sent just now.
  void Append(SentArena& arena, Position at);
  // Takes a segment off and lets go of it.
  void Remove(SentArena& arena, Position at);
  // The same for the head, which is what nearly every ACK is about.
  void RemoveHead(SentArena& arena) {
    const SentSegment& segment = arena.At(head_);
    if (segment.repaired || segment.hole) [[unlikely]] {
      return Remove(arena, head_);
    }
    const Position gone = head_;
    head_ = segment.next;
    if (head_ == kNone) {
      tail_ = kNone;
    } else {
      arena.At(head_).previous = kNone;
    }
    if (fresh_ == gone) fresh_ = head_;
    arena.LetGo(gone);
  }
  // It was sent again, just now, and its `copies` count that.
  void SentAgain(SentArena& arena, Position at);
  // It stays, and is not waited for until it is sent again.
  void StopWaiting(SentArena& arena, Position at);

  // The first segment at or above `offset`, which is not above any that
  // FindAbove was given; kNone where there is none. Adds the segments that were
  // looked at to `steps`.
  Position Find(const SentArena& arena, uint64_t offset, uint64_t& steps) const;
  // The same for an `offset` not below any that was given before: all below it
  // become holes. Costs the segments passed, each once in its life.
  Position FindAbove(SentArena& arena, uint64_t offset);
  // The last hole.
  Position last_hole() const { return last_hole_; }

 private:
  struct Ends {
    Position first = kNone;
    Position last = kNone;
  };

  Position BehindHoles(const SentArena& arena) const {
    return last_hole_ == kNone ? head_ : arena.At(last_hole_).next;
  }
  void AddLastHole(SentArena& arena, Position at);
  void DropHole(SentArena& arena, Position at);

  Position head_ = kNone;
  Position tail_ = kNone;
  Position fresh_ = kNone;  // FirstFresh, or what was it
  std::array<Ends, kRanks> repaired_;
  Position last_hole_ = kNone;
  Position root_ = kNone;
};

}  // namespace lwt
