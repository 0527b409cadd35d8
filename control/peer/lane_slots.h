// Which lane indices of the worker are free. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace lwt::peer {

class LaneSlots {
 public:
  explicit LaneSlots(uint32_t count) {
    for (uint32_t i = count; i-- > 0;) free_.push_back(i);
  }

  std::optional<uint32_t> Take() {
    if (free_.empty()) return std::nullopt;
    uint32_t lane = free_.back();
    free_.pop_back();
    return lane;
  }
  bool empty() const { return free_.empty(); }
  // Given back to the far end, so that an index is not used again soon.
  void Give(uint32_t lane) { free_.insert(free_.begin(), lane); }

 private:
  std::vector<uint32_t> free_;
};

}  // namespace lwt::peer
