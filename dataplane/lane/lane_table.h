// The lanes of a worker, by index. A lane is 19 KiB of keys and windows, and
// most indices have none: a client that comes back has two for half a minute.
// So an index without a lane leads to one lane that never stands, and memory is
// taken when a lane is made: what was given back last, or else what none had
// yet. Pages are behind as many lanes as ever stood at one time.
//
// The memory is reserved at the start, locked as far as the limit allows, page
// by page when it is used, and in no core dump. What goes is wiped. Owned by
// one worker; nothing is allocated after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/lane/lane.h"
#include "dataplane/names.h"
#include "drivers/secret_bytes.h"

namespace lwt::session {

class LaneTable {
 public:
  explicit LaneTable(uint32_t lanes);
  ~LaneTable();
  LaneTable(const LaneTable&) = delete;
  LaneTable& operator=(const LaneTable&) = delete;

  // Of an index without one a lane that is not installed, the same for all.
  Lane& operator[](uint32_t index) { return *lanes_[index]; }
  const Lane& operator[](uint32_t index) const { return *lanes_[index]; }
  size_t size() const { return lanes_.size(); }

  // A fresh lane, in the place of one that is there.
  Lane& Make(LaneIndex index);
  // Its keys and all that was of it are gone.
  void Clear(LaneIndex index);

  // Lanes that stand.
  size_t made() const { return lanes_.size() - free_.size(); }
  // Lanes for which memory was ever used.
  size_t touched() const { return touched_; }

 private:
  Lane none_;
  SecretPages memory_;
  std::vector<Lane*> lanes_;  // of an index without one `none_`
  std::vector<void*> free_;   // the last one is taken first
  size_t touched_ = 0;
};

}  // namespace lwt::session
