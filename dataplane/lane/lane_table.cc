#include "dataplane/lane/lane_table.h"

#include <algorithm>
#include <new>

#include "drivers/check.h"

namespace lwt::session {

static_assert(sizeof(Lane) % alignof(Lane) == 0);

LaneTable::LaneTable(uint32_t lanes)
    : memory_(lanes * sizeof(Lane)), lanes_(lanes, &none_) {
  free_.reserve(lanes);
  for (uint32_t i = lanes; i-- > 0;) {
    free_.push_back(memory_.data() + i * sizeof(Lane));
  }
}

LaneTable::~LaneTable() {
  for (uint32_t i = 0; i < lanes_.size(); ++i) Clear({i});
}

Lane& LaneTable::Make(LaneIndex index) {
  Clear(index);
  void* const memory = free_.back();
  free_.pop_back();
  touched_ = std::max(touched_, made());
  return *(lanes_[index.value] = new (memory) Lane);
}

void LaneTable::Clear(LaneIndex index) {
  Lane* const lane = lanes_[index.value];
  if (lane == &none_) return;
  lanes_[index.value] = &none_;
  lane->~Lane();
  Wipe(lane, sizeof(Lane));
  free_.push_back(lane);
}

}  // namespace lwt::session
