#include "dataplane/fec/group_store.h"

#include <algorithm>

#include "dataplane/golden_ratio.h"

namespace lwt::fec {

GroupStore::GroupStore(const Config& config)
    : config_(config),
      groups_(config.max_groups),
      buckets_(config.max_groups, kNone),
      shards_(config.max_shards) {
  for (uint32_t i = config.max_shards; i-- > 0;) {
    shards_[i].next = free_;
    free_ = i;
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

Group* GroupStore::Find(uint32_t lane, uint64_t base) {
  if (found_ != nullptr && found_->base == base && found_->lane == lane) {
    return found_;
  }
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
  group.shards = kNone;
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

// Field by field: a whole shard would be read back wider than it was written,
// and wait for that.
void GroupStore::Hold(Group& group, const Frame& record, rte_mbuf* mbuf,
                      HeldShard::Kind kind, uint8_t index) {
  const uint32_t at = free_;
  HeldShard& shard = shards_[at];
  free_ = shard.next;
  ++held_;
  shard.mbuf = mbuf;
  shard.bytes = record.data;
  shard.length = record.length;
  shard.next = group.shards;
  shard.kind = kind;
  shard.index = index;
  group.shards = at;
}

void GroupStore::CountBig(Group& group, const rte_mbuf* mbuf) {
  if (mbuf->buf_len <= config_.big_room || group.last_big == mbuf) return;
  group.last_big = mbuf;
  ++group.big_count;
  ++big_count_;
}

void GroupStore::HoldParity(Group& group, const Frame& record,
                            HeldShard::Kind kind, uint8_t index) {
  CountBig(group, record.mbuf);
  Hold(group, record, record.mbuf, kind, index);
}

void GroupStore::HoldData(Group& group, const Frame& record, uint8_t index) {
  rte_mbuf* mbuf = nullptr;
  if (group.pinned != record.mbuf) {
    mbuf = record.mbuf;
    rte_mbuf_refcnt_update(mbuf, 1);
    group.pinned = mbuf;
    CountBig(group, mbuf);
  }
  Hold(group, record, mbuf, HeldShard::Kind::kData, index);
}

HeldShard GroupStore::TakeParked(Group& group, uint8_t index) {
  uint32_t* link = &group.shards;
  while (shards_[*link].kind != HeldShard::Kind::kParked ||
         shards_[*link].index != index) {
    link = &shards_[*link].next;
  }
  const uint32_t at = *link;
  *link = shards_[at].next;
  shards_[at].next = free_;
  free_ = at;
  --held_;
  return shards_[at];
}

void GroupStore::Finish(Group& group) {
  while (group.shards != kNone) {
    HeldShard& shard = shards_[group.shards];
    if (shard.mbuf != nullptr) rte_pktmbuf_free(shard.mbuf);
    const uint32_t at = group.shards;
    group.shards = shard.next;
    shard.next = free_;
    free_ = at;
    --held_;
  }
  big_count_ -= group.big_count;
  group.big_count = 0;
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
  found_ = nullptr;
  for (uint32_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i].live || groups_[i].lane != lane) continue;
    Finish(groups_[i]);
    Unchain(i);
    groups_[i].live = false;
  }
}

}  // namespace lwt::fec
