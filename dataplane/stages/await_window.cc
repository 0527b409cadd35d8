// Holds back what the peer's window does not take now.
#include "dataplane/stages/stages.h"
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

Frame FrameOf(const session::WaitQueues::Waiting& waiting, LaneIndex lane) {
  Frame frame;
  frame.mbuf = waiting.shard;
  frame.data = rte_pktmbuf_mtod(waiting.shard, uint8_t*);
  frame.length = waiting.shard->data_len;
  frame.lane = lane;
  frame.packets = waiting.packets;
  return frame;
}

// Lets go what the window takes now, drops what waited too long. True while
// something is left.
bool ReleaseLane(Worker& worker, LaneIndex index, PacketBurst& ready) {
  session::Lane& lane = worker.LaneInRound(index);
  session::WaitQueues& queues = worker.outbound.wait_queues;
  while (!queues.Empty(index)) {
    const auto& front = queues.Front(index);
    const Frame frame = FrameOf(front, index);
    const bool too_late =
        worker.now_us - front.since_us > session::WaitQueues::kMaxWaitUs;
    const bool fits = lane.budget >= RecordBytes(frame.length);
    if (lane.up() && !too_late && (!fits || ready.full())) return true;
    queues.Pop(index);
    worker.ledger.Made();
    if (!lane.up()) {
      worker.Drop(frame, DropReason::kNoLane);
    } else if (fits && !ready.full()) {
      lane.budget -= RecordBytes(frame.length);
      ready.Push(frame);
    } else {
      worker.Drop(frame, DropReason::kWindowFull);
    }
  }
  return false;
}

void ReleaseWaiting(Worker& worker, PacketBurst& ready) {
  std::erase_if(worker.outbound.waiting_lanes, [&](LaneIndex lane) {
    return !ReleaseLane(worker, lane, ready);
  });
}

// The lane has something to send: whether its path works has to show.
void Wait(Worker& worker, const Frame& shard) {
  worker.lane_counters[shard.lane.value].last_data_tx_us.Set(worker.now_us);
  session::WaitQueues& queues = worker.outbound.wait_queues;
  const LaneIndex other = queues.InTheWay(shard.lane);
  if (other != LaneIndex::kNone) {
    const Frame front = FrameOf(queues.Front(other), other);
    queues.Pop(other);
    worker.ledger.Made();
    worker.Drop(front, DropReason::kWindowFull);
  }
  const bool first = queues.Empty(shard.lane);
  if (!queues.Push(shard.lane, {shard.mbuf, shard.packets, worker.now_us})) {
    return worker.Drop(shard, DropReason::kWindowFull);
  }
  worker.ledger.Gone();
  if (first) worker.outbound.waiting_lanes.push_back(shard.lane);
}

}  // namespace

void AwaitWindow(Worker& worker, PacketBurst& shards, PacketBurst& ready) {
  ready.Clear();
  const StageCheck check(worker.ledger, shards, ready);
  if (!worker.outbound.waiting_lanes.empty()) ReleaseWaiting(worker, ready);
  for (const Frame& shard : shards.frames()) {
    session::Lane& lane = worker.LaneInRound(shard.lane);
    if (Sheds(lane)) {
      worker.Drop(shard, DropReason::kWindowFull);
      continue;
    }
    const uint32_t bytes = RecordBytes(shard.length);
    if (worker.outbound.wait_queues.Empty(shard.lane) && lane.budget >= bytes &&
        !ready.full()) {
      lane.budget -= bytes;
      ready.Push(shard);
    } else {
      Wait(worker, shard);
    }
  }
  shards.Clear();
}

}  // namespace lwt
