#include "dataplane/fec/decoder.h"

#include <algorithm>
#include <bit>

#include "dataplane/fec/bit_set.h"

namespace lwt::fec {
namespace {

// How far behind its group's base a parity's packet number may lie: a whole
// block of data and parities, and as much again.
constexpr uint64_t kMaxReach =
    2 * (uint64_t{kMaxData} * kMaxStride + kMaxBlockParities);

constexpr uint64_t Bit(size_t index) { return uint64_t{1} << index; }

// The lowest `count` bits; `count` is 1 … 64.
constexpr uint64_t LowBits(size_t count) {
  return ~uint64_t{0} >> (64 - count);
}

uint32_t FormOf(const wire::GroupPlace& place) {
  return uint32_t{place.data} | uint32_t{place.parity} << 8 |
         uint32_t{place.stride} << 16;
}

// Of a data record the number tells the base exactly.
bool DataBase(const Frame& record, uint64_t& base) {
  const wire::GroupPlace& place = record.group;
  if (!IsPossible(place.data, place.parity, place.stride) ||
      place.index >= place.data) {
    return false;
  }
  const uint64_t ahead = uint64_t{place.index} * place.stride;
  base = record.packet_number - ahead;
  return record.packet_number >= ahead &&
         static_cast<uint32_t>(base) == place.base;
}

// A parity comes behind the data of its group, not far.
bool ParityBase(const Frame& record, uint64_t& base) {
  const wire::GroupPlace& place = record.group;
  if (!IsPossible(place.data, place.parity, place.stride) ||
      place.index >= place.parity) {
    return false;
  }
  const uint32_t ahead =
      static_cast<uint32_t>(record.packet_number) - place.base;
  base = record.packet_number - ahead;
  return record.packet_number >= ahead && ahead > 0 && ahead <= kMaxReach;
}

// What a parity says of its group goes with what is known of it.
bool Agrees(const Group& group, const wire::GroupPlace& place) {
  if (group.stride != 0 && place.stride != group.stride) return false;
  if (group.actual != 0 && place.data != group.actual) return false;
  if (group.meant != 0 && place.data > group.meant) return false;
  return (group.present & ~LowBits(place.data)) == 0;
}

int Missing(const Group& group) {
  return group.data() - std::popcount(group.present);
}

bool IsComplete(const Group& group) {
  return group.data() != 0 && Missing(group) == 0;
}

// Held, sealed or not.
int Parities(const Group& group) {
  return std::popcount(group.parked | group.opened);
}

size_t RoomOf(rte_mempool* pool) {
  return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
}

// A parity that was parked is kept as its bytes, its header among them.
Frame FrameOfParked(const HeldShard& shard, LaneIndex lane) {
  Frame frame;
  frame.mbuf = shard.mbuf;
  frame.data = shard.bytes;
  frame.length = shard.length;
  frame.lane = lane;
  frame.sealed = true;
  frame.SetHeader(wire::ReadRecordHeader(shard.bytes + wire::kRecordFraming));
  return frame;
}

}  // namespace

Decoder::Decoder(const Config& config)
    : config_(config), code_(config.code), store_(config.store) {}

bool Decoder::OnShard(const Frame& record, uint64_t now_us, DecoderHost& host) {
  const wire::GroupPlace& place = record.group;
  const uint64_t base =
      record.packet_number - uint64_t{place.index} * place.stride;
  Group* group = store_.Find(record.lane, base);
  // Most records say of their group what the one before did.
  if (group == nullptr || group->form != FormOf(place) ||
      static_cast<uint32_t>(base) != place.base || place.index >= place.data) {
    group = GroupOfShard(record, now_us, host);
    if (group == nullptr) return false;
  }
  const uint64_t bit = Bit(place.index);
  if (group->finished || (group->present & bit) != 0) return true;
  group->present |= bit;
  if (IsComplete(*group)) {
    store_.Finish(*group);
    return true;
  }
  if (record.length > 0 && record.Is(wire::RecordKind::kData)) {
    if (!store_.HasRoom() && !MakeRoom(*group, host)) return true;
    store_.HoldData(*group, record, place.index);
  }
  if ((group->parked | group->opened) != 0) TryRepair(*group, host);
  return true;
}

// The group that a shard of data belongs to, begun where it is the first that
// arrives. Null when its place is impossible.
Group* Decoder::GroupOfShard(const Frame& record, uint64_t now_us,
                             DecoderHost& host) {
  uint64_t base = 0;
  if (!DataBase(record, base)) return nullptr;
  const wire::GroupPlace& place = record.group;
  Group* group = store_.Find(record.lane, base);
  if (group == nullptr) group = &Begin(record.lane, base, now_us, host);
  if ((group->meant != 0 && group->meant != place.data) ||
      (group->actual != 0 && place.index >= group->actual) ||
      (group->stride != 0 && group->stride != place.stride)) {
    return nullptr;
  }
  group->meant = place.data;
  group->stride = place.stride;
  if (group->actual == 0) group->form = FormOf(place);
  return group;
}

void Decoder::OnParity(const Frame& record, uint64_t now_us,
                       DecoderHost& host) {
  uint64_t base = 0;
  const wire::GroupPlace& place = record.group;
  Group* group =
      ParityBase(record, base) ? store_.Find(record.lane, base) : nullptr;
  if (group == nullptr) return OpenNow(record, now_us, host);
  if (group->finished) return rte_pktmbuf_free(record.mbuf);
  const uint32_t row = uint32_t{1} << place.index;
  // What is said of a group that closed early is believed once opened; so is a
  // second parity for a row. And one that is needed at once need not be parked.
  if (((group->parked | group->opened) & row) != 0 ||
      place.data != group->data() || !Agrees(*group, place) ||
      Missing(*group) <= Parities(*group) + 1) {
    return OpenNow(record, now_us, host);
  }
  if (!store_.HasRoom() && !MakeRoom(*group, host)) {
    return rte_pktmbuf_free(record.mbuf);
  }
  store_.HoldParity(*group, record, place.index);
  group->parked |= row;
}

void Decoder::Expire(uint64_t now_us, DecoderHost& host) {
  for (Group* group = store_.Oldest();
       group != nullptr && group->since_us + config_.lifetime_us <= now_us;
       group = store_.Oldest()) {
    GiveUp(*group, host);
  }
}

Group& Decoder::Begin(LaneIndex lane, uint64_t base, uint64_t now_us,
                      DecoderHost& host) {
  while (Group* other = store_.InTheWay()) {
    if (!other->finished) GiveUp(*other, host);
    store_.Forget(*other);
  }
  return store_.Create(lane, base, now_us);
}

// Gives up old groups of the lanes that hold the most until one more shard can
// be held. False when `group` itself was given up.
bool Decoder::MakeRoom(const Group& group, DecoderHost& host) {
  while (!store_.HasRoom() && !group.finished) {
    GiveUp(*store_.Crowding(), host);
  }
  return !group.finished;
}

void Decoder::GiveUp(Group& group, DecoderHost& host) {
  // Without an opened parity the end of the group is not known for sure: what
  // is missing before its last shard is.
  const auto known =
      group.actual != 0
          ? size_t{group.actual}
          : static_cast<size_t>(64 - std::countl_zero(group.present));
  const auto arrived = static_cast<size_t>(std::popcount(group.present));
  if (known > arrived) host.CountUnrepaired(group.lane, known - arrived);
  store_.Finish(group);
}

void Decoder::OpenNow(const Frame& record, uint64_t now_us, DecoderHost& host) {
  Frame opened = record;
  if (host.OpenParity(opened)) OnOpenedParity(opened, now_us, host);
}

void Decoder::OnOpenedParity(const Frame& record, uint64_t now_us,
                             DecoderHost& host) {
  Group* group = GroupOfParity(record, now_us, host);
  if (group == nullptr) return host.Drop(record, DropReason::kBadGroup);
  if (group->finished) return rte_pktmbuf_free(record.mbuf);
  TakeOpened(*group, record, host);
}

// The group that an opened parity belongs to, begun where it is the first that
// arrives. Null when its place is impossible.
Group* Decoder::GroupOfParity(const Frame& record, uint64_t now_us,
                              DecoderHost& host) {
  uint64_t base = 0;
  if (!ParityBase(record, base)) return nullptr;
  Group* group = store_.Find(record.lane, base);
  if (group != nullptr) return group;
  group = &Begin(record.lane, base, now_us, host);
  // Data that was opened before the group was known cannot help: it is gone.
  const wire::GroupPlace& place = record.group;
  for (size_t i = 0; i < place.data; ++i) {
    if (!host.IsNew(record.lane, base + i * place.stride))
      store_.Finish(*group);
  }
  return group;
}

// A proven parity: what it says of its group holds.
void Decoder::TakeOpened(Group& group, const Frame& record, DecoderHost& host) {
  const wire::GroupPlace& place = record.group;
  const bool fits = (group.length == 0 || record.length == group.length) &&
                    record.length >= group.longest && record.length > 0 &&
                    record.length <= RoomOf(config_.pool);
  if (!Agrees(group, place) || !fits) {
    return host.Drop(record, DropReason::kBadGroup);
  }
  group.stride = place.stride;
  group.actual = place.data;
  group.form = 0;
  group.length = static_cast<uint16_t>(record.length);
  const uint32_t row = uint32_t{1} << place.index;
  if (IsComplete(group) || (group.opened & row) != 0) {
    rte_pktmbuf_free(record.mbuf);
    if (IsComplete(group)) store_.Finish(group);
    return;
  }
  if ((group.parked & row) != 0) {
    rte_pktmbuf_free(store_.TakeParked(group, place.index).mbuf);
  }
  if (!MakeRoom(group, host)) return rte_pktmbuf_free(record.mbuf);
  store_.HoldParity(group, record, place.index);
  group.opened |= row;
  TryRepair(group, host);
}

// Opens one of the group's parked parities.
void Decoder::OpenParked(Group& group, DecoderHost& host) {
  const auto row = static_cast<size_t>(std::countr_zero(group.parked));
  Frame record = FrameOfParked(store_.TakeParked(group, row), group.lane);
  if (host.OpenParity(record)) TakeOpened(group, record, host);
}

void Decoder::TryRepair(Group& group, DecoderHost& host) {
  if (group.finished) return;
  const int missing = Missing(group);
  if (std::popcount(group.opened) < missing) {
    // Each one that opens comes back here by TakeOpened.
    if (Parities(group) >= missing) {
      OpenParked(group, host);
      TryRepair(group, host);
    }
    return;
  }
  Solve solve;
  solve.count = static_cast<size_t>(missing);
  if (group.longest > group.length || host.room(group.lane) < solve.count ||
      !Prepare(group, solve)) {
    return GiveUp(group, host);
  }
  if (!SolveWhole(group, solve)) SolveInSteps(group, solve);
  DeliverRepaired(group, solve, host);
  group.present |= LowBits(group.data());
  store_.Finish(group);
}

// Names the missing shards and the parities for them, and takes buffers for
// the first. False when there are none.
bool Decoder::Prepare(const Group& group, Solve& solve) {
  solve.missing = ~group.present & LowBits(group.data());
  uint32_t opened = group.opened;
  for (size_t i = 0; i < solve.count; ++i, opened &= opened - 1) {
    const auto row = static_cast<size_t>(std::countr_zero(opened));
    solve.sums[i] = store_.ParityAt(group, row).bytes;
  }
  solve.rows = group.opened ^ opened;
  if (rte_pktmbuf_alloc_bulk(config_.pool, solve.mbufs.data(),
                             static_cast<unsigned>(solve.count)) != 0) {
    return false;
  }
  for (size_t i = 0; i < solve.count; ++i) {
    solve.out[i] = rte_pktmbuf_mtod(solve.mbufs[i], uint8_t*);
  }
  return true;
}

// In one pass over all that arrived, which writes the missing shards once.
// False where the data shards held are not all as long as the parities, as they
// are but at the end of a run, or the pattern is too large to be kept.
bool Decoder::SolveWhole(const Group& group, const Solve& solve) {
  const size_t data = group.data();
  if (!RepairCache::IsCached(solve.count, data)) return false;
  if (group.held != group.present ||
      (group.held != 0 && group.shortest != group.length)) {
    return false;
  }
  std::array<uint8_t*, kMaxData> in;
  size_t count = 0;
  ForEachBit(group.held,
             [&](size_t i) { in[count++] = store_.DataAt(group, i).bytes; });
  for (size_t i = 0; i < solve.count; ++i) in[count++] = solve.sums[i];
  code_.Multiply(cache_.FindWhole(group.lane, solve.missing, solve.rows, data),
                 std::span(in).first(data), group.length,
                 std::span(solve.out).first(solve.count));
  return true;
}

void Decoder::SolveInSteps(const Group& group, Solve& solve) {
  ForEachBit(group.held,
             [&](size_t i) { TakeOut(store_.DataAt(group, i), i, solve); });
  code_.Multiply(cache_.Find(group.lane, solve.missing, solve.rows),
                 std::span(solve.sums).first(solve.count), group.length,
                 std::span(solve.out).first(solve.count));
}

// Takes a shard that arrived out of the parities, in place: what is left speaks
// of the missing ones alone.
void Decoder::TakeOut(const HeldShard& shard, size_t index, Solve& solve) {
  size_t at = 0;
  for (uint32_t left = solve.rows; left != 0;) {
    // Rows that follow each other go in one call.
    const auto first = static_cast<size_t>(std::countr_zero(left));
    const auto run = static_cast<size_t>(std::countr_one(left >> first));
    code_.Add(index, {shard.bytes, shard.length}, first,
              std::span(solve.sums).subspan(at, run));
    at += run;
    left &= ~static_cast<uint32_t>(LowBits(run) << first);
  }
}

void Decoder::DeliverRepaired(const Group& group, const Solve& solve,
                              DecoderHost& host) {
  size_t repaired = 0;
  size_t at = 0;
  ForEachBit(solve.missing, [&](size_t index) {
    Frame frame;
    frame.mbuf = solve.mbufs[at];
    frame.data = solve.out[at++];
    frame.length = group.length;
    frame.lane = group.lane;
    if (!host.Commit(group.lane, group.base + index * group.stride)) {
      return rte_pktmbuf_free(frame.mbuf);
    }
    ++repaired;
    host.Deliver(frame);
  });
  host.CountRepaired(group.lane, repaired);
}

}  // namespace lwt::fec
