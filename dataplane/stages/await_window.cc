// Holds back what the peer's window does not take now: by inner flow, so that
// one that fills it keeps the others no longer than a turn.
#include <algorithm>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Of 512 shards one is shed just before the flow would stand still, and less
// the further that is. Whoever sends inside learns by a few losses, spread over
// a round trip, that it is too fast, and not by the loss of all.
constexpr uint32_t kShedAt = 512 * 256;

bool Sheds(session::Lane& lane) {
  lane.shed_debt += lane.crowding;
  if (lane.shed_debt < kShedAt) return false;
  lane.shed_debt -= kShedAt;
  return true;
}

uint32_t RecordBytes(uint32_t shard_length) {
  return shard_length + static_cast<uint32_t>(wire::kRecordOverhead);
}

using session::FlowQueues;

// What a lane may let go before it is another's turn: some full records.
constexpr uint32_t kLaneTurn = 8 * 1024;

Frame FrameOf(const FlowQueues::Waiting& waiting, LaneIndex lane) {
  Frame frame;
  frame.mbuf = waiting.shard;
  frame.data = rte_pktmbuf_mtod(waiting.shard, uint8_t*);
  frame.length = waiting.shard->data_len;
  frame.lane = lane;
  frame.packets = waiting.packets;
  return frame;
}

void DropWaiting(Worker& worker, const FlowQueues::Waiting& waiting,
                 LaneIndex lane, DropReason reason) {
  worker.ledger.Made();
  worker.Drop(FrameOf(waiting, lane), reason);
}

// Marks the packets of a shard whose senders heed it. False where there is
// none: then only a loss tells.
bool Marks(Worker& worker, const Frame& shard) {
  uint64_t marked = 0;
  wire::ShardReader reader({shard.data, shard.length});
  wire::ShardWord word;
  std::span<uint8_t> packet;
  while (reader.Next(word, packet)) {
    if (wire::ParseInner(packet) && wire::MarkCongestion(packet.data())) {
      ++marked;
    }
  }
  worker.counters.packets_marked.Add(marked);
  return marked > 0;
}

void Release(Worker& worker, const FlowQueues::Taken& taken, LaneIndex index,
             PacketBurst& ready) {
  const Frame shard = FrameOf(taken.waiting, index);
  worker.ledger.Made();
  switch (taken.verdict) {
    case FlowQueues::Verdict::kTooLate:
      return worker.Drop(shard, DropReason::kWaitedTooLong);
    case FlowQueues::Verdict::kTell:
      if (!Marks(worker, shard)) {
        return worker.Drop(shard, DropReason::kQueueStands);
      }
      break;
    case FlowQueues::Verdict::kSend:
      break;
  }
  worker.LaneInRound(index).budget -= RecordBytes(shard.length);
  ready.Push(shard);
}

// Lets go a turn of what the window takes now. True when the turn was used up.
bool ReleaseTurn(Worker& worker, LaneIndex index, uint64_t& uplink_room,
                 PacketBurst& ready) {
  session::Lane& lane = worker.LaneInRound(index);
  FlowQueues& queues = worker.outbound.flow_queues;
  for (uint32_t released = 0; released < kLaneTurn;) {
    if (ready.full()) return false;
    const auto most =
        static_cast<uint32_t>(std::min<uint64_t>(lane.budget, uplink_room));
    const uint32_t room =
        most - std::min(most, RecordBytes(/*shard_length=*/0));
    const auto taken = queues.Take(index, room, worker.now_us);
    if (!taken) return false;
    const uint32_t size = taken->waiting.shard->pkt_len;
    released += size;
    uplink_room -= std::min<uint64_t>(uplink_room, RecordBytes(size));
    Release(worker, *taken, index, ready);
  }
  return true;
}

// Lanes take turns, and another one begins each time.
void ReleaseWaiting(Worker& worker, uint64_t uplink_room, PacketBurst& ready) {
  std::vector<LaneIndex>& lanes = worker.outbound.waiting_lanes;
  FlowQueues& queues = worker.outbound.flow_queues;
  for (const LaneIndex index : lanes) {
    if (worker.lanes[index.value].up()) continue;
    while (!queues.Empty(index)) {
      DropWaiting(worker, queues.TakeOfLargest(index), index,
                  DropReason::kNoLane);
    }
  }
  bool more = true;
  while (more) {
    more = false;
    for (const LaneIndex index : lanes) {
      more |= ReleaseTurn(worker, index, uplink_room, ready);
    }
  }
  std::erase_if(lanes, [&](LaneIndex lane) { return queues.Empty(lane); });
  if (lanes.size() > 1)
    std::rotate(lanes.begin(), lanes.begin() + 1, lanes.end());
}

// Of the first packet of a shard. Others are in it only where all are small.
uint32_t HashOf(const Frame& shard) {
  wire::ShardReader reader({shard.data, shard.length});
  wire::ShardWord word;
  std::span<uint8_t> packet;
  if (!reader.Next(word, packet)) return 0;
  const auto inner = wire::ParseInner(packet);
  return inner ? wire::FlowHash(*inner, packet) : 0;
}

// The lane has something to send: whether its path works has to show.
void Wait(Worker& worker, const Frame& shard) {
  worker.lane_counters[shard.lane.value].last_data_tx_us.Set(worker.now_us);
  FlowQueues& queues = worker.outbound.flow_queues;
  const bool first = queues.Empty(shard.lane);
  if (queues.full()) {
    const LaneIndex other = queues.InTheWay(shard.lane);
    if (other == LaneIndex::kNone) {
      return worker.Drop(shard, DropReason::kSendQueueFull);
    }
    DropWaiting(worker, queues.TakeOfLargest(other), other,
                DropReason::kSendQueueFull);
  }
  queues.Push(shard.lane, HashOf(shard),
              {shard.mbuf, shard.packets, worker.now_us});
  worker.ledger.Gone();
  if (first) worker.outbound.waiting_lanes.push_back(shard.lane);
}

}  // namespace

void AwaitWindow(Worker& worker, PacketBurst& shards, PacketBurst& ready) {
  ready.Clear();
  const StageCheck check(worker.ledger, shards, ready);
  // Where all share a rate, nobody passes by those who wait.
  const bool shared = worker.tuning.uplink_rate != 0;
  if (!worker.outbound.waiting_lanes.empty() && !shared) {
    ReleaseWaiting(worker, UINT64_MAX, ready);
  }
  for (const Frame& shard : shards.frames()) {
    session::Lane& lane = worker.LaneInRound(shard.lane);
    if (Sheds(lane)) {
      worker.Drop(shard, DropReason::kWindowFull);
      continue;
    }
    const uint32_t bytes = RecordBytes(shard.length);
    if (worker.outbound.flow_queues.Empty(shard.lane) && lane.budget >= bytes &&
        !ready.full() && !shared) {
      lane.budget -= bytes;
      ready.Push(shard);
    } else {
      Wait(worker, shard);
    }
  }
  shards.Clear();
  if (shared && !worker.outbound.waiting_lanes.empty()) {
    ReleaseWaiting(worker,
                   worker.outbound.uplink_rate.Refill(worker.tuning.uplink_rate,
                                                      worker.now_us),
                   ready);
  }
}

}  // namespace lwt
