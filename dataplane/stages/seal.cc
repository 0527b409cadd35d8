// Encrypts shards in place, each under its lane's next packet number.
#include "dataplane/lane/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

void ReportEpoch(Worker& worker, LaneIndex index, EventKind kind) {
  Event event;
  event.kind = kind;
  event.lane = index;
  event.flow = worker.lanes[index.value].flow;
  event.value = worker.lanes[index.value].send.records_of_epoch();
  worker.Report(event);
}

// Seals the plaintext at frame.data in place, as the frame's kind and in its
// place in a group; the frame is the record then.
bool SealFrame(Worker& worker, Frame& frame) {
  session::Lane& lane = worker.lanes[frame.lane.value];
  uint8_t* const record = frame.data - wire::kRecordPrefix;
  if (!session::SealRecord(worker.aead, lane.send,
                           static_cast<wire::RecordKind>(frame.kind), record,
                           frame.length, frame.group)) {
    if (!lane.send.spent_reported) {
      lane.send.spent_reported = true;
      ReportEpoch(worker, frame.lane, EventKind::kEpochSpent);
    }
    worker.Drop(frame, DropReason::kEpochSpent);
    return false;
  }
  frame.data = record;
  frame.length += static_cast<uint32_t>(wire::kRecordOverhead);
  frame.mbuf->data_off = static_cast<uint16_t>(
      record - static_cast<uint8_t*>(frame.mbuf->buf_addr));
  frame.mbuf->data_len = static_cast<uint16_t>(frame.length);
  frame.mbuf->pkt_len = frame.length;

  worker.counters.records_sealed.Add(1);
  worker.lane_counters[frame.lane.value].records_sealed.Set(
      lane.send.next_packet);
  if (lane.send.records_of_epoch() >= worker.tuning.rekey_records &&
      !lane.send.due_reported) {
    lane.send.due_reported = true;
    ReportEpoch(worker, frame.lane, EventKind::kEpochDue);
  }
  return true;
}

}  // namespace

void Seal(Worker& worker, PacketBurst& shards) {
  const StageCheck check(worker.ledger, shards);
  size_t kept = 0;
  for (Frame& frame : shards.frames()) {
    if (!SealFrame(worker, frame)) continue;
    worker.lane_counters[frame.lane.value].last_data_tx_us.Set(worker.now_us);
    shards.Keep(kept++, frame);
  }
  shards.Truncate(kept);
}

bool SendRecord(Worker& worker, LaneIndex index, uint8_t kind,
                const uint8_t* bytes, size_t size) {
  session::Lane* lane = worker.FindLane(index);
  if (lane == nullptr || !lane->up()) {
    worker.counters.Drop(DropReason::kNoLane);
    return false;
  }
  rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.options.pool);
  if (mbuf == nullptr) {
    worker.counters.Drop(DropReason::kPoolEmpty);
    return false;
  }
  worker.ledger.Made();
  Frame frame;
  frame.mbuf = mbuf;
  frame.lane = index;
  frame.length = static_cast<uint32_t>(size);
  const size_t room = wire::kRecordOverhead + size;
  if (room > rte_pktmbuf_tailroom(mbuf)) {
    worker.Drop(frame, DropReason::kInnerTooBig);
    return false;
  }
  frame.data = rte_pktmbuf_mtod(mbuf, uint8_t*) + wire::kRecordPrefix;
  if (size > 0) rte_memcpy(frame.data, bytes, size);
  frame.kind = kind;
  frame.group = worker.outbound.encoder.Claim(index, lane->send.next_packet);
  if (!SealFrame(worker, frame)) return false;
  if (!worker.tcp.Encapsulate(lane->flow, mbuf, /*push=*/true, worker.now_us)) {
    if (SendInParts(worker, frame, /*push=*/true)) return true;
    worker.Drop(frame, DropReason::kWindowFull);
    return false;
  }
  if (worker.tx.full()) Transmit(worker);
  worker.ledger.Gone();
  worker.tx.Push(mbuf);
  return true;
}

}  // namespace lwt
