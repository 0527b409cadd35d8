#include <algorithm>

#include "dataplane/session/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// How often a peer is told of losses.
constexpr uint64_t kReportUs = 250'000;
// How long behind a loss it is told of times without: they are what a full link
// is known by.
constexpr uint64_t kReportTailUs = 5'000'000;
// Records without loss that are worth a report, which is a packet too: a lone
// ping causes none.
constexpr uint64_t kWorthReporting = 64;
// What comes this late before a round trip is known was sent again.
constexpr uint64_t kFirstReorderUs = 5000;

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

// The peer's code follows what it is told; it hears of losses soon, of the rest
// only while it sends parities or has lost something lately.
void ReportLosses(Worker& worker, uint32_t index, session::Lane& lane) {
  session::ReceiveHalf& half = lane.receive;
  if (worker.now_us < half.report_due_us) return;
  if (half.meter.lost() != half.reported_lost) {
    half.report_until_us = worker.now_us + kReportTailUs;
  } else if ((!half.grouped && worker.now_us >= half.report_until_us) ||
             half.meter.next() - half.reported_next < kWorthReporting) {
    return;
  }
  half.report_due_us = worker.now_us + kReportUs;
  half.reported_lost = half.meter.lost();
  half.reported_next = half.meter.next();
  half.grouped = false;
  SendReport(worker, index, 0, /*wants_answer=*/false, /*is_answer=*/false);
}

void FollowReport(Worker& worker, uint32_t index, const wire::Report& report) {
  LaneCounters& counters = worker.lane_counters[index];
  counters.peer_lost.Set(report.records_lost);
  counters.peer_repaired.Set(report.shards_repaired);
  counters.peer_unrepaired.Set(report.shards_unrepaired);
  worker.lanes[index].policy.OnReport(
      {report.highest_packet + 1, report.records_lost, report.loss_bursts,
       report.shards_unrepaired},
      worker.now_us);
  ApplyPolicy(worker, index);
}

void TakeReport(Worker& worker, const Frame& frame, session::Lane& lane) {
  const auto report = wire::ReadReport({frame.data, frame.length});
  if (!report) return worker.Drop(frame, DropReason::kBadReport);
  worker.counters.reports_received.Add(1);
  worker.tcp.OnForwardPoint(lane.flow, report->forward_point);
  FollowReport(worker, frame.lane, *report);
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

void PuntRecord(Worker& worker, const Frame& frame, session::Lane& lane) {
  if (!lane.receive.punts.Take(frame.length, worker.now_us)) {
    return worker.Drop(frame, DropReason::kControlFlood);
  }
  if (!worker.mailbox->PuntRecord(frame.lane, frame.kind,
                                  {frame.data, frame.length})) {
    return worker.Drop(frame, DropReason::kSessionPuntFull);
  }
  worker.counters.records_punted.Add(1);
  rte_pktmbuf_free(frame.mbuf);
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
      PuntRecord(worker, frame, lane);
      return false;
    case wire::RecordKind::kReport:
      TakeReport(worker, frame, lane);
      return false;
    case wire::RecordKind::kProbe:
      rte_pktmbuf_free(frame.mbuf);
      return false;
    case wire::RecordKind::kParity:
      break;  // see OpenFrame
  }
  DropUnknownKind(worker, frame, lane);
  return false;
}

// Opens a record whose header is unmasked; drops it when it does not open.
bool OpenInPlace(Worker& worker, Frame& frame, wire::RecordHeader& header,
                 OpenedRun& run) {
  session::Lane& lane = worker.lanes[frame.lane];
  DropReason why{};
  if (!session::OpenUnmasked(worker.aead, lane.receive,
                             {frame.data, frame.length}, header, why)) {
    worker.Drop(frame, why);
    return false;
  }
  const auto& epoch =
      lane.receive.epochs[header.epoch % session::kReceiveEpochs];
  NoteOpened(worker, run, frame.lane, epoch.epoch);
  frame.data += wire::kRecordPrefix;
  frame.length -= wire::kRecordOverhead;
  return true;
}

// Counts an opened record by its number, for what the peer is told of its
// losses.
void CountArrival(Worker& worker, uint32_t index,
                  const wire::RecordHeader& header) {
  fec::LossMeter& meter = worker.lanes[index].receive.meter;
  if (meter.SeenInTurn(header.packet_number)) return;
  LaneCounters& counters = worker.lane_counters[index];
  // What is sent again takes a round trip at least.
  const uint64_t half_trip = counters.srtt_us.Get() / 2;
  fec::LossMeter::Arrival arrival;
  arrival.number = header.packet_number;
  arrival.is_shard =
      header.kind != static_cast<uint8_t>(wire::RecordKind::kParity);
  arrival.data_since = header.packet_number;
  const uint64_t ahead = uint64_t{header.group.index} * header.group.stride;
  if (arrival.is_shard && ahead <= header.packet_number) {
    arrival.data_since -= ahead;
  }
  meter.Seen(arrival, worker.now_us,
             half_trip != 0 ? half_trip : kFirstReorderUs);
  counters.records_lost.Set(meter.lost());
  counters.loss_bursts.Set(meter.bursts());
  counters.records_resent.Set(meter.resent());
}

// True when the parity goes on. It stays sealed until it is needed, unless its
// number has to be proven.
bool TakeParity(Worker& worker, Frame& frame, wire::RecordHeader& header,
                OpenedRun& run) {
  session::Lane& lane = worker.lanes[frame.lane];
  if (lane.receive.meter.SeenSealed(header.packet_number)) return true;
  if (!OpenInPlace(worker, frame, header, run)) return false;
  frame.opened = true;
  CountArrival(worker, frame.lane, header);
  return true;
}

// True when the frame goes on: opened data, or a parity.
bool OpenFrame(Worker& worker, Frame& frame, OpenedRun& run) {
  session::Lane* lane = worker.FindLane(frame.lane);
  if (lane == nullptr || !lane->installed) {
    worker.Drop(frame, DropReason::kNoSession);
    return false;
  }
  wire::RecordHeader header;
  DropReason why{};
  if (!session::UnmaskRecord(lane->receive, {frame.data, frame.length}, header,
                             why)) {
    worker.Drop(frame, why);
    return false;
  }
  frame.kind = header.kind;
  const bool is_parity =
      header.kind == static_cast<uint8_t>(wire::RecordKind::kParity);
  const bool is_data =
      header.kind == static_cast<uint8_t>(wire::RecordKind::kData);
  if (!worker.shares.Take(
          lane->peer, WorkShares::kRecord + frame.length,
          is_data || is_parity ? 0 : WorkShares::kSessionOverdraft)) {
    worker.Drop(frame, DropReason::kOverShare);
    return false;
  }
  if (is_parity) {
    return TakeParity(worker, frame, header, run);
  }
  if (!OpenInPlace(worker, frame, header, run)) return false;
  frame.peer = lane->peer;
  CountArrival(worker, frame.lane, header);
  if (header.group.data != 0) {
    lane->receive.grouped = true;
    lane->receive.meter.ExpectParities(uint32_t{header.group.parity} *
                                       header.group.stride);
    if (!is_data) NoteEmptyShard(worker, frame.lane, header);
  }
  ReportLosses(worker, frame.lane, *lane);
  return TakeByKind(worker, frame, *lane);
}

}  // namespace

bool OpenUnmaskedFrame(Worker& worker, Frame& frame,
                       wire::RecordHeader& header) {
  OpenedRun run;
  const bool opened = OpenInPlace(worker, frame, header, run);
  CountOpened(worker, run);
  return opened;
}

void ApplyPolicy(Worker& worker, uint32_t index) {
  worker.fec_encoder.SetParameters(index,
                                   worker.lanes[index].policy.parameters());
  const fec::Parameters& code = worker.fec_encoder.parameters(index);
  LaneCounters& counters = worker.lane_counters[index];
  counters.fec_tx_data.Set(code.data);
  counters.fec_tx_parity.Set(code.parity);
  counters.fec_tx_stride.Set(code.on() ? code.stride : 0);
}

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
