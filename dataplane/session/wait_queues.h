// Shards that wait because the peer's window is full: one short queue per lane,
// all linked through one fixed store of nodes.
//
// Owned by one worker; nothing is allocated after construction; every
// operation is O(1).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "dataplane/session/lane.h"

namespace lwt::session {

class WaitQueues {
 public:
  // docs/protocol.md: at most 256 records or 5 ms per lane.
  static constexpr uint32_t kMaxPerLane = 256;
  static constexpr uint64_t kMaxWaitUs = 5000;

  struct Waiting {
    rte_mbuf* shard = nullptr;
    uint16_t packets = 0;  // inner packets within
    uint64_t since_us = 0;
  };

  explicit WaitQueues(uint32_t nodes);

  // False when the lane's queue or the store is full.
  bool Push(Lane& lane, const Waiting& waiting);
  // The lane has something waiting.
  static bool Empty(const Lane& lane) { return lane.wait_count == 0; }
  const Waiting& Front(const Lane& lane) const {
    return nodes_[lane.wait_head].waiting;
  }
  void Pop(Lane& lane);

 private:
  struct Node {
    Waiting waiting;
    uint32_t next = Lane::kNone;
  };

  std::vector<Node> nodes_;
  uint32_t free_ = Lane::kNone;
};

}  // namespace lwt::session
