// Puts TCP, IP and link headers in front of sealed records.
#include <rte_memcpy.h>

#include <algorithm>
#include <array>
#include <span>

#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Marks the last record of each lane in the burst: it gets PSH, as the last
// segment of a write does.
void FindLast(Worker& worker, PacketBurst& records) {
  const auto frames = records.frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    worker.lanes[frames[i].lane.value].last_record = static_cast<uint32_t>(i);
  }
}

// The records from `at` on that may leave as one frame: of one lane and one
// size, the last may be shorter.
size_t GatherRun(std::span<const Frame> frames, std::span<rte_mbuf*> run) {
  const Frame& first = frames.front();
  size_t count = 0;
  while (count < std::min(frames.size(), run.size())) {
    const Frame& frame = frames[count];
    if (frame.lane != first.lane || frame.length > first.length) break;
    run[count++] = frame.mbuf;
    if (frame.length < first.length) break;
  }
  return count;
}

}  // namespace

bool SendInParts(Worker& worker, const Frame& record, bool push) {
  const FlowId flow = worker.lanes[record.lane.value].flow;
  const uint32_t most = worker.tcp.MaxPayload(flow);
  if (most == 0 || record.length <= most ||
      worker.tcp.Window(flow) < record.length) {
    return false;
  }
  std::array<rte_mbuf*, kMaxChain> parts;
  const uint32_t first =
      worker.tcp.FirstPart(flow, record.length, worker.now_us);
  const size_t count = 1 + (record.length - first + most - 1) / most;
  if (count > parts.size() ||
      rte_pktmbuf_alloc_bulk(worker.options.pool, &parts[1],
                             static_cast<unsigned>(count - 1)) != 0) {
    return false;
  }
  parts[0] = record.mbuf;
  for (size_t i = 1; i < count; ++i) {
    const size_t from = first + (i - 1) * most;
    const auto size =
        static_cast<uint16_t>(std::min<size_t>(most, record.length - from));
    rte_memcpy(rte_pktmbuf_append(parts[i], size), record.data + from, size);
  }
  rte_pktmbuf_trim(record.mbuf, static_cast<uint16_t>(record.length - first));
  for (size_t sent = 0; sent < count;) {
    const size_t taken = worker.tcp.EncapsulateRun(
        flow, {&parts[sent], count - sent}, push, worker.now_us);
    if (worker.tx.full()) Transmit(worker);
    worker.tx.Push(parts[sent]);
    sent += taken;
  }
  worker.counters.records_cut.Add(1);
  worker.ledger.Gone();
  return true;
}

void Encapsulate(Worker& worker, PacketBurst& records) {
  const StageCheck check(worker.ledger, records);
  FindLast(worker, records);
  const std::span<const Frame> frames = records.frames();
  const bool segments = worker.uplink->info().segments;
  std::array<rte_mbuf*, kMaxChain> run;
  for (size_t at = 0; at < frames.size();) {
    const Frame& first = frames[at];
    const size_t most =
        GatherRun(frames.subspan(at), {run.data(), segments ? run.size() : 1});
    const session::Lane& lane = worker.lanes[first.lane.value];
    const bool push = lane.last_record + 1 == at + most;
    const size_t taken = worker.tcp.EncapsulateRun(
        lane.flow, {run.data(), most}, push, worker.now_us);
    if (taken == 0) {
      const bool last = lane.last_record == at++;
      if (SendInParts(worker, first, last)) continue;
      worker.Drop(first,
                  lane.up() ? DropReason::kWindowFull : DropReason::kNoLane);
      continue;
    }
    if (taken > 1) worker.counters.uplink_tx_super_frames.Add(1);
    if (worker.tx.full()) Transmit(worker);
    worker.tx.Push(first.mbuf);
    worker.ledger.Gone(taken);
    at += taken;
  }
  records.Clear();
}

}  // namespace lwt
