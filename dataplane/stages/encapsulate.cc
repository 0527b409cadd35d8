#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Marks the last record of each lane in the burst: it gets PSH, as the last
// segment of a write does.
void FindLast(Worker& worker, PacketBurst& records) {
  const auto frames = records.frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    worker.lanes[frames[i].lane].open_shard = static_cast<uint32_t>(i) + 1;
  }
}

}  // namespace

void Encapsulate(Worker& worker, PacketBurst& records) {
  FindLast(worker, records);
  const auto frames = records.frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    const session::Lane& lane = worker.lanes[frame.lane];
    const bool push = lane.open_shard == i + 1;
    if (!worker.tcp.Encapsulate(lane.flow, frame.mbuf, push, worker.now_us)) {
      worker.Drop(frame,
                  lane.up() ? DropReason::kWindowFull : DropReason::kNoLane);
      continue;
    }
    if (worker.tx.full()) Transmit(worker);
    worker.tx.Push(frame.mbuf);
  }
  records.Clear();
}

}  // namespace lwt
