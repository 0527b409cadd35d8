// Reads the uplink and takes frames that other workers handed over.
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// At most: the uplink has the other half.
constexpr size_t kFromOthers = ReceivedFrames::kCapacity / 2;

size_t TakeFromOthers(Worker& worker, std::span<rte_mbuf*> mbufs) {
  std::array<Frame, kFromOthers> frames;
  const size_t count = worker.options.handoff->Take(
      Handoff::Road::kFrames, worker.options.index, frames);
  for (size_t i = 0; i < count; ++i) mbufs[i] = frames[i].mbuf;
  worker.counters.taken_over.Add(count);
  return count;
}

}  // namespace

void Receive(Worker& worker) {
  ReceivedFrames& received = worker.inbound.received;
  if (!received.drained()) return worker.shares.SawMore();
  received.next = 0;
  const std::span<rte_mbuf*> mbufs = received.mbufs;
  const size_t handed =
      worker.options.handoff == nullptr ? 0 : TakeFromOthers(worker, mbufs);
  const size_t fresh = worker.uplink->Receive(mbufs.subspan(handed));
  if (handed + fresh == mbufs.size()) worker.shares.SawMore();
  received.count = handed + fresh;
  if (received.count == 0) return;
  worker.worked = true;
  worker.counters.uplink_rx_frames.Add(fresh);
}

}  // namespace lwt
