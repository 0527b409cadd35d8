#include "dataplane/fair_shares.h"

namespace lwt {

void FairShares::Move(uint32_t lane, uint32_t list) {
  Lane& moved = lanes_[lane];
  if (moved.list != 0) {
    (moved.previous == kNone ? heads_[moved.list]
                             : lanes_[moved.previous].next) = moved.next;
    if (moved.next != kNone) lanes_[moved.next].previous = moved.previous;
    if (heads_[moved.list] == kNone) filled_ &= ~(uint64_t{1} << moved.list);
  }
  moved.list = list;
  if (list == 0) return;
  moved.previous = kNone;
  moved.next = heads_[list];
  if (moved.next != kNone) lanes_[moved.next].previous = lane;
  heads_[list] = lane;
  filled_ |= uint64_t{1} << list;
}

}  // namespace lwt
