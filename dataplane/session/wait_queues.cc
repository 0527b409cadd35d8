#include "dataplane/session/wait_queues.h"

namespace lwt::session {

WaitQueues::WaitQueues(uint32_t nodes) : nodes_(nodes) {
  for (uint32_t i = nodes; i-- > 0;) {
    nodes_[i].next = free_;
    free_ = i;
  }
}

bool WaitQueues::Push(Lane& lane, const Waiting& waiting) {
  if (lane.wait_count == kMaxPerLane || free_ == Lane::kNone) return false;
  const uint32_t taken = free_;
  free_ = nodes_[taken].next;
  nodes_[taken] = {waiting, Lane::kNone};
  if (lane.wait_count == 0) {
    lane.wait_head = taken;
  } else {
    nodes_[lane.wait_tail].next = taken;
  }
  lane.wait_tail = taken;
  ++lane.wait_count;
  return true;
}

void WaitQueues::Pop(Lane& lane) {
  const uint32_t freed = lane.wait_head;
  lane.wait_head = nodes_[freed].next;
  if (--lane.wait_count == 0) lane.wait_tail = Lane::kNone;
  nodes_[freed] = {{}, free_};
  free_ = freed;
}

}  // namespace lwt::session
