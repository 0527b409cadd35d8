// Decrypts records in place: the stage that turns bytes of anybody into those
// of a peer, and does nothing else.
#include "dataplane/lane/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

std::span<uint8_t> SpanOf(const Frame& record) {
  return {record.data, record.length};
}

// Decrypts an unmasked record; drops it when that fails.
bool Decrypt(Worker& worker, Frame& record, session::ReceiveHalf& half,
             const session::ReceiveEpoch& epoch,
             const wire::RecordHeader& header) {
  if (!session::OpenUnmasked(worker.aead, half, epoch, SpanOf(record),
                             header)) {
    worker.Drop(record, DropReason::kBadTag);
    return false;
  }
  record.data += wire::kRecordPrefix;
  record.length -= wire::kRecordOverhead;
  return true;
}

// What a record costs is its peer's, whether it opens or not.
bool HasShare(Worker& worker, const Frame& record, PeerIndex peer) {
  const bool bulk = record.Is(wire::RecordKind::kData) ||
                    record.Is(wire::RecordKind::kParity);
  return worker.shares.Take(peer, WorkShares::kRecord + record.length,
                            bulk ? 0 : WorkShares::kSessionOverdraft);
}

// True when the frame goes on: opened, or a parity.
bool OpenOne(Worker& worker, Frame& record) {
  session::Lane* lane = worker.FindLane(record.lane);
  if (lane == nullptr || !lane->installed) {
    worker.Drop(record, DropReason::kNoSession);
    return false;
  }
  session::ReceiveHalf& half = lane->receive;
  wire::RecordHeader header;
  DropReason why{};
  const session::ReceiveEpoch* epoch =
      session::UnmaskRecord(half, SpanOf(record), header, why);
  if (epoch == nullptr) {
    worker.Drop(record, why);
    return false;
  }
  record.SetHeader(header);
  record.peer = lane->peer;
  if (!HasShare(worker, record, lane->peer)) {
    worker.Drop(record, DropReason::kOverShare);
    return false;
  }
  record.sealed = record.Is(wire::RecordKind::kParity);
  return record.sealed || Decrypt(worker, record, half, *epoch, header);
}

}  // namespace

bool OpenSealed(Worker& worker, Frame& record) {
  session::ReceiveHalf& half = worker.lanes[record.lane.value].receive;
  DropReason why{};
  const session::ReceiveEpoch* epoch =
      session::EpochOf(half, record.header(), why);
  if (epoch == nullptr) {
    worker.Drop(record, why);
    return false;
  }
  record.sealed = false;
  return Decrypt(worker, record, half, *epoch, record.header());
}

void Open(Worker& worker, RecordsInHand& records) {
  const StageCheck check(worker.ledger, records);
  size_t kept = 0;
  for (Frame& record : records.burst.frames()) {
    if (OpenOne(worker, record)) records.burst.Keep(kept++, record);
  }
  records.burst.Truncate(kept);
}

}  // namespace lwt
