// What the lanes of a session lose together. A lane that carries little learns
// of loss late; the others of the same peer may know it.
//
// Sans-IO. Owned by a session. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "control/workers/worker_link.h"

namespace lwt::peer {

class LossPool {
 public:
  // Before the first Add of a round: what was counted until now weighs less.
  void Age(uint64_t now_us);
  // A lane's counters now. What came since the last time counts.
  void Add(LaneName lane, const LaneReading& reading);
  void Forget(LaneName lane) { lanes_.erase(lane); }

  // Share of our records that was lost recently, 0 … 1; nothing where too few
  // were for that to mean something.
  std::optional<double> loss() const;

 private:
  struct Counted {
    uint64_t sealed = 0;
    uint64_t lost = 0;
  };

  std::map<LaneName, Counted> lanes_;
  uint64_t aged_us_ = 0;
  double sealed_ = 0;  // decaying sums
  double lost_ = 0;
};

}  // namespace lwt::peer
