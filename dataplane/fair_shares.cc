#include "dataplane/fair_shares.h"

namespace lwt {

void FairShares::Move(uint32_t member, uint32_t list) {
  Member& moved = members_[member];
  if (moved.list != 0) {
    (moved.previous == kNone ? heads_[moved.list]
                             : members_[moved.previous].next) = moved.next;
    if (moved.next != kNone) members_[moved.next].previous = moved.previous;
    if (heads_[moved.list] == kNone) filled_ &= ~(uint64_t{1} << moved.list);
  }
  moved.list = list;
  if (list == 0) return;
  moved.previous = kNone;
  moved.next = heads_[list];
  if (moved.next != kNone) members_[moved.next].previous = member;
  heads_[list] = member;
  filled_ |= uint64_t{1} << list;
}

}  // namespace lwt
