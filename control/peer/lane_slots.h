// How control names lanes, and which names are free. Control thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace lwt::peer {

// A lane's name in control: the worker that has it, and its index there.
struct LaneName {
  static constexpr uint32_t kIndexBits = 24;

  static constexpr uint32_t Of(uint32_t worker, uint32_t index) {
    return worker << kIndexBits | index;
  }
  static constexpr uint32_t Worker(uint32_t lane) { return lane >> kIndexBits; }
  static constexpr uint32_t Index(uint32_t lane) {
    return lane & ((1u << kIndexBits) - 1);
  }
};

class LaneSlots {
 public:
  // `count` of each worker.
  explicit LaneSlots(uint32_t count, uint32_t workers = 1) : free_(workers) {
    for (uint32_t worker = 0; worker < workers; ++worker) {
      for (uint32_t i = count; i-- > 0;) {
        free_[worker].push_back(LaneName::Of(worker, i));
      }
    }
  }

  std::optional<uint32_t> Take(uint32_t worker) {
    if (empty(worker)) return std::nullopt;
    uint32_t lane = free_[worker].back();
    free_[worker].pop_back();
    return lane;
  }
  bool empty(uint32_t worker) const {
    return worker >= free_.size() || free_[worker].empty();
  }
  // Given back to the far end, so that an index is not used again soon.
  void Give(uint32_t lane) {
    const uint32_t worker = LaneName::Worker(lane);
    if (worker >= free_.size()) return;
    free_[worker].push_front(lane);
  }

 private:
  std::vector<std::deque<uint32_t>> free_;  // by worker
};

}  // namespace lwt::peer
