#include <algorithm>

#include "dataplane/session/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Records of one lane that were opened one after the other: a burst is mostly
// of one, and is counted once.
struct OpenedRun {
  uint32_t lane = session::Lane::kNone;
  uint32_t records = 0;
  uint32_t highest_epoch = 0;
};

void CountOpened(Worker& worker, const OpenedRun& run) {
  if (run.records == 0) return;
  const session::Lane& lane = worker.lanes[run.lane];
  worker.counters.records_opened.Add(run.records);
  LaneCounters& counters = worker.lane_counters[run.lane];
  counters.records_opened.Set(lane.receive.records_opened);
  counters.records_missing.Set(lane.receive.window.next() -
                               lane.receive.records_opened);
  counters.last_rx_us.Set(worker.now_us);
  if (run.highest_epoch > counters.highest_receive_epoch.Get()) {
    counters.highest_receive_epoch.Set(run.highest_epoch);
  }
}

void NoteOpened(Worker& worker, OpenedRun& run, uint32_t lane, uint32_t epoch) {
  if (lane != run.lane) {
    CountOpened(worker, run);
    run = {.lane = lane};
  }
  ++run.records;
  run.highest_epoch = std::max(run.highest_epoch, epoch);
}

void TakeReport(Worker& worker, const Frame& frame, session::Lane& lane) {
  const auto report = wire::ReadReport({frame.data, frame.length});
  if (!report) return worker.Drop(frame, DropReason::kBadReport);
  worker.counters.reports_received.Add(1);
  worker.tcp.OnForwardPoint(lane.flow, report->forward_point);
  if (report->wants_answer) {
    SendReport(worker, frame.lane, report->token, /*wants_answer=*/false,
               /*is_answer=*/true);
  }
  if (report->is_answer && lane.probe_pending &&
      report->token == lane.probe_token) {
    lane.probe_pending = false;
    Event event;
    event.kind = EventKind::kReportAnswer;
    event.token = report->token;
    event.lane = frame.lane;
    event.flow = lane.flow;
    event.value = worker.now_us - lane.probe_sent_us;
    worker.Report(event);
  }
  rte_pktmbuf_free(frame.mbuf);
}

void PuntRecord(Worker& worker, const Frame& frame) {
  PuntedRecord punted;
  punted.frame = frame.mbuf;
  punted.lane = frame.lane;
  punted.offset = static_cast<uint32_t>(frame.data -
                                        rte_pktmbuf_mtod(frame.mbuf, uint8_t*));
  punted.length = frame.length;
  punted.kind = frame.kind;
  if (!worker.mailbox->Punt(punted)) {
    return worker.Drop(frame, DropReason::kSessionPuntFull);
  }
  worker.counters.records_punted.Add(1);
}

void DropUnknownKind(Worker& worker, const Frame& frame, session::Lane& lane) {
  if (!lane.unknown_kind_reported) {
    lane.unknown_kind_reported = true;
    Event event;
    event.kind = EventKind::kUnknownKind;
    event.detail = frame.kind;
    event.lane = frame.lane;
    event.flow = lane.flow;
    worker.Report(event);
  }
  worker.Drop(frame, DropReason::kUnknownKind);
}

// True when the record is data and goes on through the pipeline.
bool TakeByKind(Worker& worker, const Frame& frame, session::Lane& lane) {
  switch (static_cast<wire::RecordKind>(frame.kind)) {
    case wire::RecordKind::kData:
      return true;
    case wire::RecordKind::kControl:
    case wire::RecordKind::kClose:
      PuntRecord(worker, frame);
      return false;
    case wire::RecordKind::kReport:
      TakeReport(worker, frame, lane);
      return false;
    case wire::RecordKind::kProbe:
      rte_pktmbuf_free(frame.mbuf);
      return false;
    case wire::RecordKind::kParity:
      break;
  }
  DropUnknownKind(worker, frame, lane);
  return false;
}

bool OpenFrame(Worker& worker, Frame& frame, OpenedRun& run) {
  session::Lane* lane = worker.FindLane(frame.lane);
  if (lane == nullptr || !lane->installed) {
    worker.Drop(frame, DropReason::kNoSession);
    return false;
  }
  wire::RecordHeader header;
  DropReason why{};
  if (!session::OpenRecord(worker.aead, lane->receive,
                           {frame.data, frame.length}, header, why)) {
    worker.Drop(frame, why);
    return false;
  }
  const auto& epoch =
      lane->receive.epochs[header.epoch % session::kReceiveEpochs];
  NoteOpened(worker, run, frame.lane, epoch.epoch);
  frame.data += wire::kRecordPrefix;
  frame.length -= wire::kRecordOverhead;
  frame.peer = lane->peer;
  frame.kind = header.kind;
  return TakeByKind(worker, frame, *lane);
}

}  // namespace

void Open(Worker& worker, OpenedRecords& records) {
  size_t kept = 0;
  OpenedRun run;
  for (Frame& frame : records.burst.frames()) {
    if (OpenFrame(worker, frame, run)) records.burst.Keep(kept++, frame);
  }
  CountOpened(worker, run);
  records.burst.Truncate(kept);
}

}  // namespace lwt
