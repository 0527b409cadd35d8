// Gives shards their places in groups and lets parities follow them.
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Room that a shard needs: itself and the parities of two blocks.
constexpr size_t kRoom = 1 + 2 * fec::kMaxBlockParities;
static_assert(kRoom < PacketBurst::kCapacity);

// Lets parities from `first` on take the next packet numbers and their part of
// the peer's window, like data; those that find no room there never wait.
void Number(Worker& worker, PacketBurst& out, size_t first) {
  size_t kept = first;
  LaneIndex last;
  uint64_t room = 0;
  for (const Frame& parity : out.frames().subspan(first)) {
    session::Lane& lane = worker.LaneInRound(parity.lane);
    if (parity.lane != last) {
      last = parity.lane;
      room = lane.parity_budget.Room(worker.tcp.SentBytes(lane.flow),
                                     worker.now_us);
    }
    const uint32_t bytes =
        parity.length + static_cast<uint32_t>(wire::kRecordOverhead);
    if (!lane.up() || lane.budget < bytes || room < bytes) {
      worker.Drop(parity, DropReason::kParityUnsent);
      continue;
    }
    lane.budget -= bytes;
    room -= bytes;
    ++lane.numbered;
    worker.lane_counters[parity.lane.value].parities_sent.Add(1);
    out.Keep(kept++, parity);
  }
  out.Truncate(kept);
}

void CloseFull(Worker& worker, LaneIndex lane, PacketBurst& out) {
  const size_t before = out.size();
  worker.outbound.encoder.CloseFull(lane, out);
  worker.ledger.Made(out.size() - before);
  if (out.size() > before) Number(worker, out, before);
}

void AddShard(Worker& worker, const Frame& shard, PacketBurst& out) {
  CloseFull(worker, shard.lane, out);
  session::Lane& lane = worker.LaneInRound(shard.lane);
  Frame placed = shard;
  placed.group = worker.outbound.encoder.Add(
      shard.lane, lane.send.next_packet + lane.numbered++,
      {shard.data, shard.length}, worker.now_us);
  if (placed.group.data == 0) worker.counters.fec_unprotected.Add(1);
  out.Push(placed);
  CloseFull(worker, shard.lane, out);
}

}  // namespace

// Parities stand right behind the shard that closes their group: the packet
// numbers of the next group have to follow each other. They are as long as the
// longest shard, so that a run of full records goes on through them.
void FecEncode(Worker& worker, PacketBurst& shards, PacketBurst& out) {
  out.Clear();
  const StageCheck check(worker.ledger, shards, out);
  const auto frames = shards.frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    const size_t left = frames.size() - i;
    if (worker.outbound.encoder.Active(frames[i].lane) &&
        out.size() + left + kRoom <= PacketBurst::kCapacity) {
      AddShard(worker, frames[i], out);
    } else {
      out.Push(frames[i]);
    }
  }
  shards.Clear();
  const size_t before = out.size();
  worker.outbound.encoder.Flush(worker.now_us, out);
  worker.ledger.Made(out.size() - before);
  if (out.size() > before) Number(worker, out, before);
}

}  // namespace lwt
