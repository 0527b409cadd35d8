// What the tunnel device brought beyond what a turn seals, while the worker is
// behind: its own line is one for all, 500 places of up to 64 KiB, in which a
// ping would stand behind a bulk transfer for as long as the CPU takes for all
// of that. Read ahead, flows take turns and CoDel tells the one that stands, as
// where a window is full (dataplane/lane/flow_queues.h). Packets and
// super-frames are kept as they came.
//
// Owned by one worker, filled and emptied by stages/read_ahead.h. No memory is
// taken after construction.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "dataplane/burst.h"
#include "dataplane/lane/flow_queues.h"

namespace lwt {

class DeviceQueue {
 public:
  // Small buffers that it may hold, and for how many a large one stands: 32 of
  // those at most.
  static constexpr uint32_t kMostBuffers = 2048;
  static constexpr uint32_t kLargeCost = 64;
  static constexpr uint32_t kMostLarge = kMostBuffers / kLargeCost;

  // In buffers.
  static uint32_t CostOf(const rte_mbuf* mbuf) {
    return mbuf->nb_segs == 1 && mbuf->buf_len > kLargeBuffer ? kLargeCost
                                                              : mbuf->nb_segs;
  }

  bool empty() const { return queues_.total() == 0; }
  bool HasRoom(const rte_mbuf* mbuf) const {
    return !queues_.full() && buffers_ + CostOf(mbuf) <= kMostBuffers;
  }
  // Of what has room.
  void Push(rte_mbuf* mbuf, uint32_t flow_hash, uint64_t now_us) {
    buffers_ += CostOf(mbuf);
    queues_.Push(kAll, flow_hash, {mbuf, 1, now_us});
  }
  std::optional<session::FlowQueues::Taken> Take(uint64_t now_us) {
    const auto taken = queues_.Take(kAll, UINT32_MAX, now_us);
    if (taken) buffers_ -= CostOf(taken->waiting.shard);
    return taken;
  }
  // The oldest of the flow that has the most. Of what is not empty.
  rte_mbuf* TakeOfLargest() {
    rte_mbuf* const mbuf = queues_.TakeOfLargest(kAll).shard;
    buffers_ -= CostOf(mbuf);
    return mbuf;
  }

  // At the end of a turn, whether the device has more than was taken. True
  // where it had in all turns of kBehindUs.
  bool IsBehind(bool more, uint64_t now_us) {
    if (!more) {
      full_since_us_ = kNotFull;
    } else if (full_since_us_ == kNotFull) {
      full_since_us_ = now_us;
    }
    return more && now_us - full_since_us_ >= kBehindUs;
  }

 private:
  // All that waits here is in one line of flows: whose lane it will be is found
  // behind.
  static constexpr LaneIndex kAll{0};
  // Bytes of a flow's turn: a super-frame.
  static constexpr int32_t kTurn = 64 * 1024;
  static constexpr uint64_t kNotFull = UINT64_MAX;
  static constexpr uint64_t kBehindUs = 2000;

  session::FlowQueues queues_{kMostBuffers, /*lanes=*/1, kTurn};
  uint32_t buffers_ = 0;
  uint64_t full_since_us_ = kNotFull;
};

}  // namespace lwt
