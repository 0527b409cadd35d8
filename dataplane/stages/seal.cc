#include "dataplane/golden_ratio.h"
#include "dataplane/session/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/be.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Reports of one length, time and again, would show.
constexpr size_t kReportPadding = 128;

// Hangs on a secret of the lane; who sees the lengths learns no more by it.
size_t PaddingOf(const Worker& worker, const session::Lane& lane) {
  const uint64_t salt = wire::LoadBe64(&lane.send.iv[4]);
  const uint64_t seed = (salt ^ lane.send.next_packet) + worker.now_us;
  return seed * kGoldenRatio >> 32 & (kReportPadding - 1);
}

void ReportEpoch(Worker& worker, uint32_t index, EventKind kind) {
  Event event;
  event.kind = kind;
  event.lane = index;
  event.flow = worker.lanes[index].flow;
  event.value = worker.lanes[index].send.records_of_epoch();
  worker.Report(event);
}

// Seals the plaintext at frame.data in place, as the frame's kind and in its
// place in a group; the frame is the record then.
bool SealFrame(Worker& worker, Frame& frame) {
  session::Lane& lane = worker.lanes[frame.lane];
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
  worker.lane_counters[frame.lane].records_sealed.Set(lane.send.next_packet);
  if (lane.send.records_of_epoch() >= worker.options.rekey_records &&
      !lane.send.due_reported) {
    lane.send.due_reported = true;
    ReportEpoch(worker, frame.lane, EventKind::kEpochDue);
  }
  return true;
}

}  // namespace

void Seal(Worker& worker, PacketBurst& shards) {
  size_t kept = 0;
  for (Frame& frame : shards.frames()) {
    if (!SealFrame(worker, frame)) continue;
    worker.lane_counters[frame.lane].last_data_tx_us.Set(worker.now_us);
    shards.Keep(kept++, frame);
  }
  shards.Truncate(kept);
}

bool SendRecord(Worker& worker, uint32_t index, uint8_t kind,
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
  frame.group = worker.fec_encoder.Claim(index, lane->send.next_packet);
  if (!SealFrame(worker, frame)) return false;
  if (!worker.tcp.Encapsulate(lane->flow, mbuf, /*push=*/true, worker.now_us)) {
    if (SendInParts(worker, frame, /*push=*/true)) return true;
    worker.Drop(frame, DropReason::kWindowFull);
    return false;
  }
  if (worker.tx.full()) Transmit(worker);
  worker.tx.Push(mbuf);
  return true;
}

bool SendReport(Worker& worker, uint32_t index, uint32_t token,
                bool wants_answer, bool is_answer) {
  const session::Lane& lane = worker.lanes[index];
  wire::Report report;
  report.wants_answer = wants_answer;
  report.is_answer = is_answer;
  report.token = token;
  report.forward_point = worker.tcp.ForwardPoint(lane.flow);
  const uint64_t next = lane.receive.meter.next();
  report.highest_packet = next == 0 ? 0 : next - 1;
  report.records_received = lane.receive.records_opened;
  report.records_lost = lane.receive.meter.lost();
  report.loss_bursts = lane.receive.meter.bursts();
  report.shards_repaired = worker.lane_counters[index].shards_repaired.Get();
  report.shards_unrepaired =
      worker.lane_counters[index].shards_unrepaired.Get() +
      lane.receive.meter.resent_late();
  uint8_t bytes[wire::Report::kSize + kReportPadding] = {};
  wire::WriteReport(report, bytes);
  return SendRecord(worker, index,
                    static_cast<uint8_t>(wire::RecordKind::kReport), bytes,
                    wire::Report::kSize + PaddingOf(worker, lane));
}

}  // namespace lwt
