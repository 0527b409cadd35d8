// Flows that are being closed, the oldest first: a ring of names, made at
// start. A flow may end while it stands here. Owned by one worker.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "dataplane/flow/flow_id.h"
#include "drivers/check.h"

namespace lwt {

class ClosingQueue {
 public:
  // For `places` names at least.
  explicit ClosingQueue(uint32_t places)
      : names_(std::bit_ceil(places)), mask_(names_.size() - 1) {}

  bool empty() const { return head_ == tail_; }
  bool full() const { return tail_ - head_ == names_.size(); }
  // Not when full.
  void Push(FlowId flow) {
    LWT_ASSERT(!full());
    names_[tail_++ & mask_] = flow;
  }
  // Not when empty.
  FlowId Pop() {
    LWT_ASSERT(!empty());
    return names_[head_++ & mask_];
  }

 private:
  std::vector<FlowId> names_;
  const uint64_t mask_;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace lwt
