#include "dataplane/fec/encoder.h"

#include <algorithm>
#include <cstring>

namespace lwt::fec {
namespace {

Parameters Bounded(Parameters wanted) {
  if (!wanted.on()) return {};
  wanted.data = std::min(wanted.data, kMaxData);
  wanted.parity = std::min(wanted.parity, kMaxParity);
  const auto most = static_cast<uint8_t>(kMaxBlockParities / wanted.parity);
  wanted.stride = std::clamp<uint8_t>(wanted.stride, 1,
                                      std::min<uint8_t>(most, kMaxStride));
  return wanted;
}

// Parities begin on a cache line, since a store across two of them costs twice.
// The record's prefix goes before that.
constexpr size_t kParityOffset = RTE_CACHE_LINE_SIZE;
static_assert(kParityOffset >= wire::kRecordPrefix);

// Where in its block the next shard goes. The usual stride needs no division.
struct Turn {
  uint32_t group = 0;
  uint32_t index = 0;
};

Turn TurnOf(uint32_t count, uint32_t stride) {
  if (stride == 1) return {0, count};
  return {count % stride, count / stride};
}

uint8_t* BytesOf(rte_mbuf* parity) {
  return rte_pktmbuf_mtod(parity, uint8_t*) + kParityOffset;
}

// ParitiesFor, without the root where the group is full.
uint8_t SentFor(const Parameters& parameters, uint32_t shards) {
  if (shards != parameters.data) return ParitiesFor(parameters, shards);
  return std::min(parameters.parity, parameters.data);
}

size_t ParityRoomOf(rte_mempool* pool) {
  return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM -
         kParityOffset - wire::kRecordTag;
}

}  // namespace

Encoder::Encoder(const Config& config)
    : config_(config),
      code_(config.code),
      lanes_(config.max_lanes),
      blocks_(config.max_blocks) {
  for (uint32_t i = config.max_blocks; i-- > 0;) {
    blocks_[i].next = free_;
    free_ = i;
  }
}

Encoder::~Encoder() {
  for (LaneIndex lane{0}; lane.value < lanes_.size(); ++lane.value) {
    Release(lane);
  }
}

void Encoder::SetParameters(LaneIndex lane, const Parameters& parameters) {
  lanes_[lane.value].parameters = Bounded(parameters);
}

wire::GroupPlace Encoder::Add(LaneIndex lane, uint64_t packet_number,
                              std::span<const uint8_t> shard, uint64_t now_us) {
  LaneState& state = lanes_[lane.value];
  // Another number than promised: a seal failed, and the parities speak of
  // records that nobody sent.
  if (state.block != kNone && !Continues(blocks_[state.block], packet_number)) {
    Discard(state);
  }
  if (state.block == kNone && state.parameters.on()) {
    state.block = Open(lane, packet_number, now_us);
  }
  if (state.block == kNone) {
    if (state.parameters.on()) ++unprotected_;
    return {};
  }
  Block& block = blocks_[state.block];
  const Turn turn = TurnOf(block.count, block.parameters.stride);
  if (AddToGroup(block, turn.group, turn.index, shard)) return TakePlace(block);
  ++unprotected_;
  block.ended = true;
  return {};
}

void Encoder::CloseFull(LaneIndex lane, PacketBurst& out) {
  const uint32_t index = lanes_[lane.value].block;
  if (index != kNone && blocks_[index].full()) Close(index, out);
}

wire::GroupPlace Encoder::Claim(LaneIndex lane, uint64_t packet_number) {
  const uint32_t index = lanes_[lane.value].block;
  if (index == kNone || !Continues(blocks_[index], packet_number)) return {};
  return TakePlace(blocks_[index]);
}

bool Encoder::Continues(const Block& block, uint64_t packet_number) {
  return !block.full() && packet_number == block.base + block.count;
}

void Encoder::Flush(uint64_t now_us, PacketBurst& out) {
  for (const Queue& queue : queues_) {
    while (queue.head != kNone && blocks_[queue.head].deadline_us <= now_us &&
           out.size() + kMaxBlockParities <= PacketBurst::kCapacity) {
      Close(queue.head, out);
    }
  }
}

uint64_t Encoder::NextDeadline() const {
  uint64_t next = kNever;
  for (const Queue& queue : queues_) {
    if (queue.head != kNone) {
      next = std::min(next, blocks_[queue.head].deadline_us);
    }
  }
  return next;
}

void Encoder::Release(LaneIndex lane) {
  LaneState& state = lanes_[lane.value];
  if (state.block != kNone) Discard(state);
  state = LaneState{};
}

void Encoder::Discard(LaneState& state) {
  Block& block = blocks_[state.block];
  for (uint32_t group = 0; group < block.parameters.stride; ++group) {
    if (block.ParitiesOf(group)[0] == nullptr) continue;
    for (rte_mbuf* parity : block.ParitiesOf(group)) rte_pktmbuf_free(parity);
  }
  Free(state.block);
  state.block = kNone;
}

uint32_t Encoder::Open(LaneIndex lane, uint64_t packet_number,
                       uint64_t now_us) {
  if (free_ == kNone) return kNone;
  const uint32_t index = free_;
  Block& block = blocks_[index];
  free_ = block.next;
  ++open_blocks_;
  block.lane = lane;
  block.base = packet_number;
  block.count = 0;
  block.ended = false;
  block.parameters = lanes_[lane.value].parameters;
  for (uint32_t group = 0; group < block.parameters.stride; ++group) {
    block.length[group] = 0;
    // The first tells whether the group has any; the others follow it.
    block.ParitiesOf(group)[0] = nullptr;
  }
  block.deadline_us =
      now_us +
      (block.parameters.stride > 1 ? config_.interleave_us : config_.flush_us);
  Queue& queue = QueueOf(block);
  block.next = kNone;
  block.previous = queue.tail;
  (queue.tail == kNone ? queue.head : blocks_[queue.tail].next) = index;
  queue.tail = index;
  return index;
}

// False when there are no buffers for the group's parities, or the shard does
// not fit into one.
bool Encoder::AddToGroup(Block& block, uint32_t group, uint32_t index,
                         std::span<const uint8_t> shard) {
  uint16_t& length = block.length[group];
  // Only what is longer than all before can be too long.
  const bool grows = shard.size() > length;
  if (grows && shard.size() > ParityRoomOf(config_.pool)) return false;
  const auto parities = block.ParitiesOf(group);
  if (parities[0] == nullptr &&
      rte_pktmbuf_alloc_bulk(config_.pool, parities.data(),
                             static_cast<unsigned>(parities.size())) != 0) {
    parities[0] = nullptr;
    return false;
  }
  std::array<uint8_t*, kMaxParity> rows;
  for (size_t row = 0; row < parities.size(); ++row) {
    rows[row] = BytesOf(parities[row]);
  }
  if (length == 0) {
    code_.Begin(index, shard, std::span(rows).first(parities.size()));
  } else {
    // Zeros are written as far as shards reach, no further.
    for (size_t row = 0; grows && row < parities.size(); ++row) {
      std::memset(rows[row] + length, 0, shard.size() - length);
    }
    code_.Add(index, shard, 0, std::span(rows).first(parities.size()));
  }
  if (grows) length = static_cast<uint16_t>(shard.size());
  return true;
}

wire::GroupPlace Encoder::TakePlace(Block& block) {
  const Turn turn = TurnOf(block.count, block.parameters.stride);
  wire::GroupPlace place;
  place.base = static_cast<uint32_t>(block.base + turn.group);
  place.index = static_cast<uint8_t>(turn.index);
  place.data = block.parameters.data;
  place.parity = block.parameters.parity;
  place.stride = block.parameters.stride;
  ++block.count;
  return place;
}

void Encoder::Close(uint32_t index, PacketBurst& out) {
  Block& block = blocks_[index];
  for (uint32_t group = 0; group < block.parameters.stride; ++group) {
    CloseGroup(block, group, out);
  }
  lanes_[block.lane.value].block = kNone;
  Free(index);
}

void Encoder::CloseGroup(Block& block, uint32_t group, PacketBurst& out) {
  const auto parities = block.ParitiesOf(group);
  if (parities[0] == nullptr) return;
  const uint32_t stride = block.parameters.stride;
  const uint32_t shards =
      TurnOf(block.count + stride - 1 - group, stride).index;
  const uint8_t sent = SentFor(block.parameters, shards);
  Frame frame;
  frame.lane = block.lane;
  frame.length = block.length[group];
  frame.packets = 0;
  frame.kind = static_cast<uint8_t>(wire::RecordKind::kParity);
  frame.group.base = static_cast<uint32_t>(block.base + group);
  frame.group.data = static_cast<uint8_t>(shards);
  frame.group.parity = sent;
  frame.group.stride = block.parameters.stride;
  for (uint8_t row = 0; row < sent; ++row) {
    frame.mbuf = parities[row];
    frame.data = BytesOf(frame.mbuf);
    frame.group.index = row;
    out.Push(frame);
  }
  for (size_t row = sent; row < parities.size(); ++row) {
    rte_pktmbuf_free(parities[row]);
  }
}

void Encoder::Free(uint32_t index) {
  Unlink(index);
  blocks_[index].next = free_;
  free_ = index;
  --open_blocks_;
}

void Encoder::Unlink(uint32_t index) {
  const Block& block = blocks_[index];
  Queue& queue = QueueOf(block);
  (block.previous == kNone ? queue.head : blocks_[block.previous].next) =
      block.next;
  (block.next == kNone ? queue.tail : blocks_[block.next].previous) =
      block.previous;
}

}  // namespace lwt::fec
