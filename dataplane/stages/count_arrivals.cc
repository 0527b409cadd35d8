// Counts records as they arrive, by their numbers, for what control reads and
// what the peer is told of its losses.
#include "dataplane/stages/reports.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// What comes this late before a round trip is known was sent again.
constexpr uint64_t kFirstReorderUs = 5000;

// Where the numbers of the record's block begin, as far as they are data's.
uint64_t DataSince(const Frame& record) {
  const uint64_t ahead = uint64_t{record.group.index} * record.group.stride;
  return record.packet_number - (ahead <= record.packet_number ? ahead : 0);
}

void CountByNumber(Worker& worker, Frame& record, fec::LossMeter& meter) {
  if (meter.SeenInTurn(record.packet_number)) return;
  LaneCounters& counters = worker.lane_counters[record.lane.value];
  // What is sent again takes a round trip at least.
  const uint64_t half_trip = counters.srtt_us.Get() / 2;
  fec::LossMeter::Arrival arrival;
  arrival.number = record.packet_number;
  arrival.is_shard = !record.Is(wire::RecordKind::kParity);
  arrival.data_since =
      arrival.is_shard ? DataSince(record) : record.packet_number;
  record.repaired = meter.Seen(arrival, worker.now_us,
                               half_trip != 0 ? half_trip : kFirstReorderUs);
  counters.records_lost.Set(meter.lost());
  counters.loss_bursts.Set(meter.bursts());
  counters.records_resent.Set(meter.resent());
}

// True when the record goes on: all but a parity that had to be proven and does
// not open. Any other stays sealed until it is needed.
bool CountOne(Worker& worker, Frame& record, session::ReceiveHalf& half) {
  if (record.sealed) {
    if (half.meter.SeenSealed(record.packet_number)) return true;
    if (!OpenSealed(worker, record)) return false;
  }
  CountByNumber(worker, record, half.meter);
  if (record.group.data != 0 && !record.Is(wire::RecordKind::kParity)) {
    half.grouped = true;
    half.meter.ExpectParities(uint32_t{record.group.parity} *
                              record.group.stride);
  }
  return true;
}

}  // namespace

bool PublishOpened(Worker& worker, LaneIndex index) {
  const session::ReceiveHalf& half = worker.lanes[index.value].receive;
  LaneCounters& counters = worker.lane_counters[index.value];
  const uint64_t opened = half.records_opened - counters.records_opened.Get();
  if (opened == 0) return false;
  worker.counters.records_opened.Add(opened);
  counters.records_opened.Set(half.records_opened);
  counters.last_rx_us.Set(worker.now_us);
  counters.highest_receive_epoch.Set(half.highest_epoch);
  return true;
}

// Records of one lane mostly come one after the other: what is counted by their
// sum is counted once for each run of them.
void CountArrivals(Worker& worker, RecordsInHand& records) {
  const StageCheck check(worker.ledger, records);
  const auto frames = records.burst.frames();
  size_t kept = 0;
  for (size_t at = 0; at < frames.size();) {
    const LaneIndex index = frames[at].lane;
    session::ReceiveHalf& half = worker.lanes[index.value].receive;
    for (; at < frames.size() && frames[at].lane == index; ++at) {
      if (CountOne(worker, frames[at], half)) {
        records.burst.Keep(kept++, frames[at]);
      }
    }
    if (PublishOpened(worker, index)) ReportLosses(worker, index);
  }
  records.burst.Truncate(kept);
}

}  // namespace lwt
