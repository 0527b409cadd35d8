// Takes out of the burst what is not data: reports are followed, messages of
// the session go to control.
#include "dataplane/stages/reports.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

void PuntRecord(Worker& worker, const Frame& record) {
  session::Lane& lane = worker.lanes[record.lane.value];
  if (!lane.receive.punts.Take(record.length, worker.now_us)) {
    return worker.Drop(record, DropReason::kControlFlood);
  }
  if (!worker.mailbox->PuntRecord(record.lane, record.kind,
                                  {record.data, record.length})) {
    return worker.Drop(record, DropReason::kSessionPuntFull);
  }
  worker.counters.records_punted.Add(1);
  worker.ledger.Gone();
  rte_pktmbuf_free(record.mbuf);
}

// Control hears of it once a lane.
void DropUnknownKind(Worker& worker, const Frame& record) {
  session::Lane& lane = worker.lanes[record.lane.value];
  if (!lane.unknown_kind_reported) {
    lane.unknown_kind_reported = true;
    Event event;
    event.kind = EventKind::kUnknownKind;
    event.detail = record.kind;
    event.lane = record.lane;
    event.flow = lane.flow;
    worker.Report(event);
  }
  worker.Drop(record, DropReason::kUnknownKind);
}

void TakeMessage(Worker& worker, const Frame& record) {
  switch (static_cast<wire::RecordKind>(record.kind)) {
    case wire::RecordKind::kControl:
    case wire::RecordKind::kClose:
      return PuntRecord(worker, record);
    case wire::RecordKind::kReport:
      return TakeReport(worker, record);
    case wire::RecordKind::kProbe:
      worker.ledger.Gone();
      return rte_pktmbuf_free(record.mbuf);
    case wire::RecordKind::kData:
    case wire::RecordKind::kParity:
      break;  // taken by other stages
  }
  DropUnknownKind(worker, record);
}

}  // namespace

void TakeMessages(Worker& worker, RecordsInHand& records) {
  const StageCheck check(worker.ledger, records);
  size_t kept = 0;
  for (const Frame& record : records.burst.frames()) {
    if (record.Is(wire::RecordKind::kData)) {
      records.burst.Keep(kept++, record);
    } else {
      TakeMessage(worker, record);
    }
  }
  records.burst.Truncate(kept);
}

}  // namespace lwt
