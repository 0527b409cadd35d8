// Which lanes of which worker are free. Control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "control/workers/names.h"

namespace lwt::peer {

class LaneSlots {
 public:
  // `count` of each worker.
  explicit LaneSlots(uint32_t count, uint32_t workers = 1) : free_(workers) {
    for (std::deque<LaneIndex>& free : free_) {
      for (uint32_t i = count; i-- > 0;) free.push_back({i});
    }
  }

  std::optional<LaneName> Take(WorkerIndex worker) {
    if (empty(worker)) return std::nullopt;
    std::deque<LaneIndex>& free = free_[worker.value];
    const LaneName lane{worker, free.back()};
    free.pop_back();
    return lane;
  }
  bool empty(WorkerIndex worker) const {
    return worker.value >= free_.size() || free_[worker.value].empty();
  }
  // Given back to the far end, so that an index is not used again soon.
  void Give(LaneName lane) {
    if (lane.worker.value >= free_.size()) return;
    free_[lane.worker.value].push_front(lane.index);
  }

 private:
  std::vector<std::deque<LaneIndex>> free_;  // by worker
};

}  // namespace lwt::peer
