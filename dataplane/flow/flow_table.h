// All outer flows of a worker: slots made at start, and an index over the pair
// of endpoints with open addressing under a keyed hash, never more than half
// full. A lookup costs one hash (about 200 cycles) and mostly one probe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/flow/flow_id.h"
#include "dataplane/flow/flow_key.h"
#include "dataplane/flow/outer_flow.h"

namespace lwt {

class FlowTable {
 public:
  FlowTable(uint32_t slots, const FlowKeyedHash& hash);

  uint32_t slot_count() const { return slot_count_; }
  OuterFlow& At(uint32_t slot) { return flows_[slot]; }
  const OuterFlow& At(uint32_t slot) const { return flows_[slot]; }
  uint32_t SlotOf(const OuterFlow& flow) const {
    return static_cast<uint32_t>(&flow - flows_.get());
  }

  // The flow of a name, or nullptr when it is gone.
  OuterFlow* Find(FlowId id);
  OuterFlow* Find(const FlowKey& key);
  // A fresh flow under a key that is not in the table; nullptr when full.
  OuterFlow* Add(const FlowKey& key);
  // Takes the key out of the index; the slot stays in use.
  void Unindex(const OuterFlow& flow);
  // Gives the slot back.
  void Free(OuterFlow& flow);

 private:
  static constexpr uint32_t kEmpty = 0xffffffff;

  struct Entry {
    uint32_t slot = kEmpty;
    uint32_t hash = 0;
  };

  uint32_t HashOf(const FlowKey& key) const {
    return static_cast<uint32_t>(hash_.Of(HashUse::kTable, key));
  }

  const FlowKeyedHash& hash_;
  const uint32_t slot_count_;
  std::unique_ptr<OuterFlow[]> flows_;
  std::vector<uint32_t> free_;
  std::vector<Entry> index_;
  uint32_t mask_;
  // Bursts are mostly of one flow: the last one found is tried first.
  OuterFlow* last_ = nullptr;
};

}  // namespace lwt
