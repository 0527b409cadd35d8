#include <algorithm>

#include "dataplane/fec/decoder.h"
#include "dataplane/session/sealing.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

constexpr size_t kMostRepaired = RepairedBurst::kCapacity / 2;  // of a lane

// The worker as the decoder sees it.
class Host final : public fec::DecoderHost {
 public:
  explicit Host(Worker& worker) : worker_(worker) {}

  bool OpenParity(Frame& record, wire::RecordHeader& header) override {
    return OpenUnmaskedFrame(worker_, record, header);
  }
  bool IsNew(uint32_t lane, uint64_t packet_number) override {
    return worker_.lanes[lane].receive.window.Peek(packet_number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  bool Commit(uint32_t lane, uint64_t packet_number) override {
    return worker_.lanes[lane].receive.window.Commit(packet_number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  // A lane leaves half to the others.
  size_t room(uint32_t lane) override {
    const auto frames = worker_.repaired.frames();
    const auto own = static_cast<size_t>(
        std::count_if(frames.begin(), frames.end(),
                      [lane](const Frame& each) { return each.lane == lane; }));
    return std::min(RepairedBurst::kCapacity - frames.size(),
                    kMostRepaired - std::min(kMostRepaired, own));
  }
  void Deliver(const Frame& shard) override {
    Frame frame = shard;
    frame.peer = worker_.lanes[shard.lane].peer;
    frame.kind = static_cast<uint8_t>(wire::RecordKind::kData);
    worker_.repaired.Push(frame);
  }
  void Drop(const Frame& record, DropReason reason) override {
    worker_.Drop(record, reason);
  }
  void CountRepaired(uint32_t lane, size_t count) override {
    worker_.lane_counters[lane].shards_repaired.Add(count);
    worker_.shares.Charge(worker_.lanes[lane].peer,
                          WorkShares::kRepaired * static_cast<uint32_t>(count));
  }
  void CountUnrepaired(uint32_t lane, size_t count) override {
    worker_.lane_counters[lane].shards_unrepaired.Add(count);
  }

 private:
  Worker& worker_;
};

// Where k stands, seen from the plaintext (docs/protocol.md#records).
constexpr ptrdiff_t kGroupData = 13 - ptrdiff_t{wire::kRecordHeader};

wire::RecordHeader HeaderBefore(const uint8_t* plaintext) {
  return wire::ReadRecordHeader(plaintext - wire::kRecordHeader);
}

// A parity, sealed but for its header, or opened.
void TakeParity(Worker& worker, const Frame& record, Host& host) {
  worker.lane_counters[record.lane].parities_received.Add(1);
  if (record.opened) {
    return worker.fec_decoder.OnOpenedParity(record, HeaderBefore(record.data),
                                             worker.now_us, host);
  }
  worker.fec_decoder.OnParity(record,
                              HeaderBefore(record.data + wire::kRecordPrefix),
                              worker.now_us, host);
}

// True when the shard goes on.
bool TakeData(Worker& worker, const Frame& record, Host& host) {
  if (record.data[kGroupData] == 0) return true;  // in no group
  const auto header = HeaderBefore(record.data);
  LaneCounters& counters = worker.lane_counters[record.lane];
  counters.fec_rx_data.Set(header.group.data);
  counters.fec_rx_parity.Set(header.group.parity);
  if (worker.fec_decoder.OnData(record.lane, header, &record, worker.now_us,
                                host)) {
    return true;
  }
  worker.Drop(record, DropReason::kBadGroup);
  return false;
}

void MoveRepaired(Worker& worker, OpenedRecords& records) {
  const auto repaired = worker.repaired.frames();
  if (repaired.empty()) return;
  worker.worked = true;
  size_t kept = 0;
  for (const Frame& shard : repaired) {
    if (records.burst.full()) {
      worker.repaired.Keep(kept++, shard);
    } else {
      records.burst.Push(shard);
    }
  }
  worker.repaired.Truncate(kept);
}

}  // namespace

bool TakeRepaired(Worker& worker, OpenedRecords& records) {
  if (worker.repaired.empty()) return false;
  records.burst.Clear();
  records.next = 0;
  MoveRepaired(worker, records);
  return true;
}

void NoteEmptyShard(Worker& worker, uint32_t lane,
                    const wire::RecordHeader& header) {
  Host host(worker);
  worker.fec_decoder.OnData(lane, header, nullptr, worker.now_us, host);
}

void FecDecode(Worker& worker, OpenedRecords& records) {
  Host host(worker);
  size_t kept = 0;
  for (const Frame& record : records.burst.frames()) {
    if (record.kind == static_cast<uint8_t>(wire::RecordKind::kParity)) {
      TakeParity(worker, record, host);
    } else if (TakeData(worker, record, host)) {
      records.burst.Keep(kept++, record);
    }
  }
  records.burst.Truncate(kept);
  worker.fec_decoder.Expire(worker.now_us, host);
  MoveRepaired(worker, records);
}

}  // namespace lwt
