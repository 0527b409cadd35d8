// Gives back lost shards: hands groups of records to the decoder, and what it
// makes to the next stages.
#include <algorithm>

#include "dataplane/fec/decoder.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

constexpr size_t kMostRepaired = RepairedBurst::kCapacity / 2;  // of a lane
// Else a group that lost the most it can would never be repaired.
static_assert(kMostRepaired >= fec::kMaxParity);

// The worker as the decoder sees it.
class Host final : public fec::DecoderHost {
 public:
  explicit Host(Worker& worker) : worker_(worker) {}

  bool OpenParity(Frame& record) override {
    worker_.ledger.Made();
    if (!OpenSealed(worker_, record)) return false;
    worker_.ledger.Gone();
    PublishOpened(worker_, record.lane);
    return true;
  }
  bool IsNew(LaneIndex lane, uint64_t packet_number) override {
    return worker_.lanes[lane.value].receive.window.Peek(packet_number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  bool Commit(LaneIndex lane, uint64_t packet_number) override {
    return worker_.lanes[lane.value].receive.window.Commit(packet_number) ==
           session::ReplayWindow::Verdict::kNew;
  }
  // A lane leaves half to the others.
  size_t room(LaneIndex lane) override {
    const auto frames = worker_.inbound.repaired.frames();
    const auto own = static_cast<size_t>(
        std::count_if(frames.begin(), frames.end(),
                      [lane](const Frame& each) { return each.lane == lane; }));
    return std::min(RepairedBurst::kCapacity - frames.size(),
                    kMostRepaired - std::min(kMostRepaired, own));
  }
  void Deliver(const Frame& shard) override {
    Frame frame = shard;
    frame.peer = worker_.lanes[shard.lane.value].peer;
    frame.kind = static_cast<uint8_t>(wire::RecordKind::kData);
    frame.repaired = true;
    worker_.ledger.Made();
    worker_.inbound.repaired.Push(frame);
  }
  void Drop(const Frame& record, DropReason reason) override {
    worker_.ledger.Made();
    worker_.Drop(record, reason);
  }
  void CountRepaired(LaneIndex lane, size_t count) override {
    worker_.lane_counters[lane.value].shards_repaired.Add(count);
    worker_.shares.Charge(worker_.lanes[lane.value].peer,
                          WorkShares::kRepaired * static_cast<uint32_t>(count));
  }
  void CountUnrepaired(LaneIndex lane, size_t count) override {
    worker_.lane_counters[lane.value].shards_unrepaired.Add(count);
  }

 private:
  Worker& worker_;
};

void TakeParity(Worker& worker, const Frame& record, Host& host) {
  worker.lane_counters[record.lane.value].parities_received.Add(1);
  worker.ledger.Gone();
  if (record.sealed) {
    worker.inbound.decoder.OnParity(record, worker.now_us, host);
  } else {
    worker.inbound.decoder.OnOpenedParity(record, worker.now_us, host);
  }
}

// True when the record goes on. One that is no data is an empty shard.
bool TakeShard(Worker& worker, const Frame& record, Host& host) {
  if (record.group.data == 0) return true;  // in no group
  const bool fits = worker.inbound.decoder.OnShard(record, worker.now_us, host);
  if (!record.Is(wire::RecordKind::kData)) return true;
  LaneCounters& counters = worker.lane_counters[record.lane.value];
  counters.fec_rx_data.Set(record.group.data);
  counters.fec_rx_parity.Set(record.group.parity);
  if (!fits) worker.Drop(record, DropReason::kBadGroup);
  return fits;
}

void MoveRepaired(Worker& worker, RecordsInHand& records) {
  const auto repaired = worker.inbound.repaired.frames();
  if (repaired.empty()) return;
  worker.worked = true;
  size_t kept = 0;
  for (const Frame& shard : repaired) {
    if (records.burst.full()) {
      worker.inbound.repaired.Keep(kept++, shard);
    } else {
      records.burst.Push(shard);
    }
  }
  worker.inbound.repaired.Truncate(kept);
}

}  // namespace

bool TakeRepaired(Worker& worker, RecordsInHand& records) {
  if (worker.inbound.repaired.empty()) return false;
  records.burst.Clear();
  records.next = 0;
  MoveRepaired(worker, records);
  return true;
}

void FecDecode(Worker& worker, RecordsInHand& records) {
  const StageCheck check(worker.ledger, records, worker.inbound.repaired);
  Host host(worker);
  size_t kept = 0;
  for (const Frame& record : records.burst.frames()) {
    if (record.Is(wire::RecordKind::kParity)) {
      TakeParity(worker, record, host);
    } else if (TakeShard(worker, record, host)) {
      records.burst.Keep(kept++, record);
    }
  }
  records.burst.Truncate(kept);
  worker.inbound.decoder.Expire(worker.now_us, host);
  MoveRepaired(worker, records);
}

}  // namespace lwt
