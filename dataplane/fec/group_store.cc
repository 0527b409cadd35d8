#include "dataplane/fec/group_store.h"

#include <algorithm>

#include "dataplane/golden_ratio.h"

namespace lwt::fec {

GroupStore::GroupStore(const Config& config)
    : config_(config),
      groups_(config.max_groups),
      buckets_(config.max_groups, kNone),
      blocks_(std::make_unique_for_overwrite<Block[]>(config.max_shards)) {
  none_.lane = kNone;
  // The last one given back is the next one taken: it is in the cache.
  for (uint32_t i = config.max_shards; i-- > 0;) {
    free_blocks_.push_back(static_cast<uint16_t>(i));
  }
}

GroupStore::~GroupStore() {
  for (Group& group : groups_) {
    if (group.live) Finish(group);
  }
}

uint32_t& GroupStore::BucketOf(uint32_t lane, uint64_t base) {
  const uint64_t hash = (base + lane * kGoldenRatio) * kGoldenRatio;
  return buckets_[(hash >> 32) & (config_.max_groups - 1)];
}

Group* GroupStore::Search(uint32_t lane, uint64_t base) {
  for (uint32_t at = BucketOf(lane, base); at != kNone; at = groups_[at].next) {
    if (groups_[at].base == base && groups_[at].lane == lane) {
      return found_ = &groups_[at];
    }
  }
  return nullptr;
}

Group* GroupStore::Replaced() {
  Group& group = groups_[created_ & (config_.max_groups - 1)];
  return group.live ? &group : nullptr;
}

Group& GroupStore::Create(uint32_t lane, uint64_t base, uint64_t now_us) {
  const auto index =
      static_cast<uint32_t>(created_++ & (config_.max_groups - 1));
  Group& group = groups_[index];
  if (group.live) Unchain(index);
  group = Group{};
  group.lane = lane;
  group.base = base;
  group.since_us = now_us;
  group.live = true;
  found_ = &group;
  uint32_t& bucket = BucketOf(lane, base);
  group.next = bucket;
  bucket = index;
  return group;
}

void GroupStore::Unchain(uint32_t index) {
  const Group& group = groups_[index];
  uint32_t* link = &BucketOf(group.lane, group.base);
  while (*link != index) link = &groups_[*link].next;
  *link = group.next;
}

HeldShard& GroupStore::Take(Group& group, size_t place) {
  uint16_t& block = group.blocks[place / kBlockShards];
  if (block == kNoBlock) {
    block = free_blocks_.back();
    free_blocks_.pop_back();
  }
  ++held_;
  return blocks_[block][place % kBlockShards];
}

void GroupStore::CountBig(Group& group, const rte_mbuf* mbuf) {
  if (mbuf->buf_len <= config_.big_room || group.last_big == mbuf) return;
  group.last_big = mbuf;
  ++group.big_count;
  ++big_count_;
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
  group.parked &= ~(uint32_t{1} << row);
  --held_;
  return ParityAt(group, row);
}

void GroupStore::Finish(Group& group) {
  const uint32_t rows = group.parked | group.opened;
  held_ -=
      static_cast<uint32_t>(std::popcount(group.held) + std::popcount(rows));
  ForEachBit(group.pins,
             [&](size_t i) { rte_pktmbuf_free(DataAt(group, i).mbuf); });
  ForEachBit(rows,
             [&](size_t i) { rte_pktmbuf_free(ParityAt(group, i).mbuf); });
  for (uint16_t& block : group.blocks) {
    if (block == kNoBlock) continue;
    free_blocks_.push_back(block);
    block = kNoBlock;
  }
  big_count_ -= group.big_count;
  group.big_count = 0;
  group.held = 0;
  group.pins = 0;
  group.pinned = nullptr;
  group.parked = 0;
  group.opened = 0;
  group.finished = true;
}

Group* GroupStore::Oldest() {
  const uint64_t size = config_.max_groups;
  if (created_ > size) oldest_ = std::max(oldest_, created_ - size);
  while (oldest_ < created_) {
    Group& group = groups_[oldest_ & (size - 1)];
    if (group.live && !group.finished) return &group;
    ++oldest_;
  }
  return nullptr;
}

void GroupStore::Release(uint32_t lane) {
  found_ = &none_;
  for (uint32_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i].live || groups_[i].lane != lane) continue;
    Finish(groups_[i]);
    Unchain(i);
    groups_[i].live = false;
  }
}

}  // namespace lwt::fec
