// Shards that wait: for their peer's window or for what its rate gives. Each
// lane's are queued by inner flow and leave by turns, so that a bulk transfer
// keeps nobody waiting but itself; FQ-CoDel of RFC 8290. A flow that sends less
// than its turn finds the lane's line of fresh flows and is next.
//
// All lanes share one store of nodes. A full one takes from the lane that holds
// most (dataplane/fair_shares.h), and there from the flow with the most bytes,
// its oldest: what waits is bounded whatever comes, peers that close their
// windows leave the others room, and a flood pushes out itself. Flows that find
// none of eight places free share the queue that each lane has for such.
//
// Owned by one worker; nothing is allocated after construction. Push costs
// eight look-ups at most; Take an amortised constant.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/fair_shares.h"
#include "dataplane/lane/codel.h"
#include "dataplane/names.h"

namespace lwt::session {

class FlowQueues {
 public:
  // What waited so long is of no use any more: CoDel tells senders that heed
  // it, this is for those that do not and for a peer that is gone.
  static constexpr uint64_t kMaxWaitUs = 1'000'000;
  // RFC 8290 section 5.2: bytes of a turn, a full packet.
  static constexpr int32_t kPacketTurn = 1514;

  struct Waiting {
    rte_mbuf* shard = nullptr;
    uint16_t packets = 0;  // inner packets within
    uint64_t since_us = 0;
  };
  enum class Verdict : uint8_t {
    kSend,
    kTell,     // its queue stands: mark it or drop it
    kTooLate,  // beyond kMaxWaitUs
  };
  struct Taken {
    Waiting waiting;
    Verdict verdict = Verdict::kSend;
  };

  FlowQueues(uint32_t nodes, uint32_t lanes, int32_t turn = kPacketTurn);

  bool full() const { return free_ == kNone; }
  // Of a store that is not full.
  void Push(LaneIndex lane, uint32_t flow_hash, const Waiting& waiting);
  // The next of the lane, whose shard has `room` bytes at most or waited too
  // long; nullopt where the next one has more, or nothing waits.
  std::optional<Taken> Take(LaneIndex lane, uint32_t room, uint64_t now_us);

  // The lane that is to make room for one more of `lane`, which may be that
  // one itself; kNone where `lane` has nothing and nobody has two.
  LaneIndex InTheWay(LaneIndex lane) const;
  // The oldest of the flow that has the most bytes, of the first sixteen that
  // have some. Of a lane of which something waits.
  Waiting TakeOfLargest(LaneIndex lane);

  // Nothing of the lane waits.
  bool Empty(LaneIndex lane) const { return shares_.held(lane) == 0; }
  uint32_t held(LaneIndex lane) const { return shares_.held(lane); }
  uint32_t total() const { return shares_.total(); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kFlows = 1024;
  static constexpr uint32_t kPlaces = 8;

  enum class Line : uint8_t { kNone, kFresh, kOld };

  struct Node {
    Waiting waiting;
    uint32_t next = kNone;
  };
  // In a line of its lane, or of nobody: then the next flow may have it.
  struct Flow {
    Codel codel;
    LaneIndex lane;
    uint32_t hash = 0;
    uint32_t head = kNone;  // nodes
    uint32_t tail = kNone;
    uint32_t bytes = 0;
    int32_t turn = 0;       // bytes left of it
    uint32_t next = kNone;  // flow of the line
    Line line = Line::kNone;
  };
  // Of flows.
  struct LineEnds {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };
  struct Lines {
    LineEnds fresh;
    LineEnds old;
  };

  uint32_t FlowFor(LaneIndex lane, uint32_t hash);
  void Append(Lines& lines, uint32_t flow, Line line);
  void PopFront(LineEnds& line);
  Waiting TakeFront(LaneIndex lane, Flow& flow);
  void LeaveLines(Lines& lines);

  const int32_t turn_;
  std::vector<Node> nodes_;
  std::vector<Flow> flows_;   // kFlows, then one for each lane
  std::vector<Lines> lines_;  // of each lane
  LaneShares shares_;         // nodes of each lane
  uint32_t free_ = kNone;
};

}  // namespace lwt::session
