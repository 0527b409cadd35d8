#include "dataplane/fec/group_store.h"

#include <algorithm>

namespace lwt::fec {
namespace {

// Parity rows of a block.
constexpr uint32_t kBlockRows = (uint32_t{1} << kBlockShards) - 1;

}  // namespace

GroupStore::GroupStore(const Config& config)
    : config_(config),
      groups_(config.max_groups),
      buckets_(2 * size_t{config.max_groups}, kNone),
      lanes_(config.max_lanes),
      blocks_(std::make_unique_for_overwrite<Block[]>(config.max_shards)),
      free_group_(0),
      known_(config.max_lanes),
      shards_(config.max_lanes),
      big_(config.max_lanes) {
  none_.lane = LaneIndex::kNone;
  recent_.fill(&none_);
  for (uint32_t i = 0; i < config.max_groups; ++i) {
    groups_[i].lane = LaneIndex::kNone;
    groups_[i].next = i + 1 < config.max_groups ? i + 1 : kNone;
  }
  // The last one given back is the next one taken: it is in the cache.
  for (uint32_t i = config.max_shards; i-- > 0;) {
    free_blocks_.push_back(static_cast<uint16_t>(i));
  }
}

GroupStore::~GroupStore() {
  while (Group* group = Oldest()) Finish(*group);
}

void GroupStore::Append(List& list, GroupLinks Group::*links, Group& group) {
  const uint32_t index = IndexOf(group);
  group.*links = {kNone, list.tail};
  (list.tail == kNone ? list.head : (groups_[list.tail].*links).next) = index;
  list.tail = index;
}

void GroupStore::Remove(List& list, GroupLinks Group::*links, Group& group) {
  const GroupLinks at = group.*links;
  (at.previous == kNone ? list.head : (groups_[at.previous].*links).next) =
      at.next;
  (at.next == kNone ? list.tail : (groups_[at.next].*links).previous) =
      at.previous;
}

Group* GroupStore::Search(LaneIndex lane, uint64_t base) {
  SipHash hash(config_.key);
  hash.Add(base ^ uint64_t{lane.value} << 48);  // packet numbers have 48 bits
  bucket_ = static_cast<uint32_t>(hash.Finish() & (buckets_.size() - 1));
  for (uint32_t at = buckets_[bucket_]; at != kNone; at = groups_[at].next) {
    ++steps_;
    Group& group = groups_[at];
    if (group.base == base && group.lane == lane) {
      return recent_[base % kRecent] = &group;
    }
  }
  return nullptr;
}

// In a full chain, a group of the lane that has the most groups in all; null
// while the chain takes one more.
Group* GroupStore::TooManyInChain() {
  Group* found = nullptr;
  uint32_t length = 0;
  for (uint32_t at = buckets_[bucket_]; at != kNone; at = groups_[at].next) {
    ++length;
    Group& group = groups_[at];
    if (found == nullptr ||
        known_.held(group.lane) >= known_.held(found->lane)) {
      found = &group;  // among equals the oldest: the last one
    }
  }
  return length < kMaxChain ? nullptr : found;
}

Group* GroupStore::OldestOf(LaneIndex lane) {
  const LaneGroups& groups = lanes_[lane.value];
  return GroupAt(groups.finished.head != kNone ? groups.finished.head
                                               : groups.open.head);
}

Group* GroupStore::InTheWay() {
  return free_group_ == kNone ? OldestOf(known_.Largest()) : TooManyInChain();
}

Group& GroupStore::Create(LaneIndex lane, uint64_t base, uint64_t now_us) {
  const uint32_t index = free_group_;
  Group& group = groups_[index];
  free_group_ = group.next;
  group = Group{};
  group.lane = lane;
  group.base = base;
  group.since_us = now_us;
  group.bucket = bucket_;
  group.next = buckets_[bucket_];
  buckets_[bucket_] = index;
  known_.Add(lane, 1);
  Append(lanes_[lane.value].open, &Group::of_lane, group);
  Append(open_, &Group::of_all, group);
  recent_[base % kRecent] = &group;
  return group;
}

void GroupStore::Forget(Group& group) {
  const uint32_t index = IndexOf(group);
  uint32_t* link = &buckets_[group.bucket];
  while (*link != index) link = &groups_[*link].next;
  *link = group.next;
  known_.Remove(group.lane, 1);
  Remove(lanes_[group.lane.value].finished, &Group::of_lane, group);
  group.lane = LaneIndex::kNone;
  group.next = free_group_;
  free_group_ = index;
}

HeldShard& GroupStore::Take(Group& group, size_t place) {
  uint16_t& block = group.blocks[place / kBlockShards];
  if (block == kNoBlock) {
    block = free_blocks_.back();
    free_blocks_.pop_back();
  }
  shards_.Add(group.lane, 1);
  return blocks_[block][place % kBlockShards];
}

void GroupStore::GiveBack(uint16_t& block) {
  if (block == kNoBlock) return;
  free_blocks_.push_back(block);
  block = kNoBlock;
}

void GroupStore::CountBig(Group& group, const rte_mbuf* mbuf) {
  if (mbuf->buf_len <= config_.big_room || group.last_big == mbuf) return;
  group.last_big = mbuf;
  ++group.big_count;
  big_.Add(group.lane, 1);
}

void GroupStore::HoldParity(Group& group, const Frame& record, size_t row) {
  CountBig(group, record.mbuf);
  HeldShard& shard = Take(group, kMaxData + row);
  shard.mbuf = record.mbuf;
  shard.bytes = record.data;
  shard.length = record.length;
}

void GroupStore::HoldData(Group& group, const Frame& record, size_t index) {
  HeldShard& shard = Take(group, index);
  shard.bytes = record.data;
  shard.length = record.length;
  const uint64_t bit = uint64_t{1} << index;
  group.held |= bit;
  const auto length = static_cast<uint16_t>(record.length);
  group.longest = std::max(group.longest, length);
  group.shortest = std::min(group.shortest, length);
  if (group.pinned == record.mbuf) return;
  rte_mbuf_refcnt_update(record.mbuf, 1);
  shard.mbuf = record.mbuf;
  group.pinned = record.mbuf;
  group.pins |= bit;
  CountBig(group, record.mbuf);
}

HeldShard GroupStore::TakeParked(Group& group, size_t row) {
  const HeldShard shard = ParityAt(group, row);
  group.parked &= ~(uint32_t{1} << row);
  shards_.Remove(group.lane, 1);
  const size_t block = row / kBlockShards;
  const uint32_t rows = group.parked | group.opened;
  if ((rows >> (block * kBlockShards) & kBlockRows) == 0) {
    GiveBack(group.blocks[kDataBlocks + block]);
  }
  return shard;
}

void GroupStore::Finish(Group& group) {
  const uint32_t rows = group.parked | group.opened;
  shards_.Remove(group.lane, static_cast<uint32_t>(std::popcount(group.held) +
                                                   std::popcount(rows)));
  ForEachBit(group.pins,
             [&](size_t i) { rte_pktmbuf_free(DataAt(group, i).mbuf); });
  ForEachBit(rows,
             [&](size_t i) { rte_pktmbuf_free(ParityAt(group, i).mbuf); });
  for (uint16_t& block : group.blocks) GiveBack(block);
  big_.Remove(group.lane, group.big_count);
  group.big_count = 0;
  group.held = 0;
  group.pins = 0;
  group.pinned = nullptr;
  group.parked = 0;
  group.opened = 0;
  if (group.finished) return;
  Remove(lanes_[group.lane.value].open, &Group::of_lane, group);
  Remove(open_, &Group::of_all, group);
  group.finished = true;
  Append(lanes_[group.lane.value].finished, &Group::of_lane, group);
}

Group* GroupStore::Crowding() {
  const LaneShares& full =
      shards_.total() < config_.max_shards ? big_ : shards_;
  return GroupAt(lanes_[full.Largest().value].open.head);
}

void GroupStore::Release(LaneIndex lane) {
  LaneGroups& groups = lanes_[lane.value];
  while (groups.open.head != kNone) Finish(groups_[groups.open.head]);
  while (groups.finished.head != kNone) Forget(groups_[groups.finished.head]);
}

}  // namespace lwt::fec
