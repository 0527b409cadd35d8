#include "dataplane/flow/flow_table.h"

#include <bit>

namespace lwt {

FlowTable::FlowTable(uint32_t slots, const FlowKeyedHash& hash)
    : hash_(hash),
      slot_count_(slots),
      flows_(std::make_unique<OuterFlow[]>(slots)),
      index_(std::bit_ceil(slots * 2)),
      mask_(static_cast<uint32_t>(index_.size() - 1)) {
  free_.reserve(slots);
  for (uint32_t slot = slots; slot > 0; --slot) free_.push_back(slot - 1);
}

OuterFlow* FlowTable::Find(FlowId id) {
  if (id.slot() >= slot_count_) return nullptr;
  OuterFlow& flow = flows_[id.slot()];
  if (flow.state == FlowState::kFree) return nullptr;
  return flow.generation == id.generation() ? &flow : nullptr;
}

OuterFlow* FlowTable::Find(const FlowKey& key) {
  if (last_ != nullptr && last_->key == key) return last_;
  const uint32_t hash = HashOf(key);
  for (uint32_t i = hash & mask_; index_[i].slot != kEmpty;
       i = (i + 1) & mask_) {
    if (index_[i].hash != hash) continue;
    OuterFlow& flow = flows_[index_[i].slot];
    if (flow.key == key) {
      last_ = &flow;
      return last_;
    }
  }
  return nullptr;
}

OuterFlow* FlowTable::Add(const FlowKey& key) {
  if (free_.empty()) return nullptr;
  const uint32_t slot = free_.back();
  free_.pop_back();
  OuterFlow& flow = flows_[slot];
  const uint64_t generation = flow.generation + 1;
  // A slot may still stand in a list of the owner's.
  const bool touched = flow.touched;
  const bool eventful = flow.eventful;
  flow = OuterFlow{};
  flow.touched = touched;
  flow.eventful = eventful;
  flow.key = key;
  flow.generation = generation;
  const uint32_t hash = HashOf(key);
  uint32_t i = hash & mask_;
  while (index_[i].slot != kEmpty) i = (i + 1) & mask_;
  index_[i] = {slot, hash};
  return &flow;
}

void FlowTable::Unindex(const OuterFlow& flow) {
  if (last_ == &flow) last_ = nullptr;
  const uint32_t slot = SlotOf(flow);
  uint32_t hole = HashOf(flow.key) & mask_;
  while (index_[hole].slot != slot) {
    if (index_[hole].slot == kEmpty) return;
    hole = (hole + 1) & mask_;
  }
  // Entries that a probe would no longer reach move back into the hole.
  for (uint32_t i = (hole + 1) & mask_; index_[i].slot != kEmpty;
       i = (i + 1) & mask_) {
    const uint32_t home = index_[i].hash & mask_;
    if (((i - home) & mask_) >= ((i - hole) & mask_)) {
      index_[hole] = index_[i];
      hole = i;
    }
  }
  index_[hole] = {};
}

void FlowTable::Free(OuterFlow& flow) {
  Unindex(flow);
  flow.state = FlowState::kFree;
  free_.push_back(SlotOf(flow));
}

}  // namespace lwt
