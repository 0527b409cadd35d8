#include "dataplane/lane/wait_queues.h"

namespace lwt::session {

WaitQueues::WaitQueues(uint32_t nodes, uint32_t lanes)
    : nodes_(nodes), queues_(lanes), shares_(lanes) {
  for (uint32_t i = nodes; i-- > 0;) {
    nodes_[i].next = free_;
    free_ = i;
  }
}

bool WaitQueues::Push(LaneIndex lane, const Waiting& waiting) {
  if (held(lane) == kMaxPerLane || free_ == kNone) return false;
  const uint32_t taken = free_;
  free_ = nodes_[taken].next;
  nodes_[taken] = {waiting, kNone};
  Queue& queue = queues_[lane.value];
  (Empty(lane) ? queue.head : nodes_[queue.tail].next) = taken;
  queue.tail = taken;
  shares_.Add(lane, 1);
  return true;
}

LaneIndex WaitQueues::InTheWay(LaneIndex lane) const {
  if (free_ != kNone || held(lane) == kMaxPerLane) {
    return LaneIndex::kNone;
  }
  const LaneIndex largest = shares_.Largest();
  if (largest == LaneIndex::kNone || held(largest) <= held(lane) + 1) {
    return LaneIndex::kNone;
  }
  return largest;
}

void WaitQueues::Pop(LaneIndex lane) {
  Queue& queue = queues_[lane.value];
  const uint32_t freed = queue.head;
  queue.head = nodes_[freed].next;
  nodes_[freed] = {{}, free_};
  free_ = freed;
  shares_.Remove(lane, 1);
}

}  // namespace lwt::session
