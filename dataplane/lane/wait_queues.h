// Shards that wait because the peer's window is full: one short queue per lane,
// all linked through one fixed store of nodes.
//
// A full store takes from the lane that holds most (dataplane/fair_shares.h),
// so peers that close their windows leave the others room.
//
// Owned by one worker; nothing is allocated after construction; every
// operation is O(1).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "dataplane/fair_shares.h"
#include "dataplane/names.h"

namespace lwt::session {

class WaitQueues {
 public:
  static constexpr uint32_t kNone = 0xffffffff;
  // docs/protocol.md: at most 256 records or 5 ms per lane.
  static constexpr uint32_t kMaxPerLane = 256;
  static constexpr uint64_t kMaxWaitUs = 5000;

  struct Waiting {
    rte_mbuf* shard = nullptr;
    uint16_t packets = 0;  // inner packets within
    uint64_t since_us = 0;
  };

  WaitQueues(uint32_t nodes, uint32_t lanes);

  // False when the lane's queue or the store is full.
  [[nodiscard]] bool Push(LaneIndex lane, const Waiting& waiting);
  // Nothing of the lane waits.
  bool Empty(LaneIndex lane) const { return shares_.held(lane) == 0; }
  uint32_t held(LaneIndex lane) const { return shares_.held(lane); }
  // The lane whose front is to make room for one more of `lane`; kNone where
  // there is room, or nobody who holds so much more than `lane` that one less
  // leaves it no worse off. It keeps one at least.
  LaneIndex InTheWay(LaneIndex lane) const;
  // Of a lane of which something waits.
  const Waiting& Front(LaneIndex lane) const {
    return nodes_[queues_[lane.value].head].waiting;
  }
  void Pop(LaneIndex lane);

 private:
  struct Node {
    Waiting waiting;
    uint32_t next = kNone;
  };
  // Of nodes; meant while the lane holds some.
  struct Queue {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };

  std::vector<Node> nodes_;
  std::vector<Queue> queues_;
  LaneShares shares_;  // nodes of each lane
  uint32_t free_ = kNone;
};

}  // namespace lwt::session
