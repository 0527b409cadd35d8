// The groups that a worker's lanes receive, and the shards held for them.
//
// Groups stand in a ring in the order in which they began; the newest takes the
// place of the oldest. A group that is finished holds no shard but stays known
// until its place is taken, so that its late parities are known to be unneeded.
// Shards held are references of mbufs, limited in number; data records side by
// side in a merged frame share one. Each stands at its index, in blocks that a
// group takes as its shards come. Nothing is allocated after construction; a
// look-up and a hold cost O(1), the end of a group a step for each reference.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/fec/bit_set.h"
#include "dataplane/fec/parameters.h"

namespace lwt::fec {

// Shards of a block.
inline constexpr size_t kBlockShards = 16;
// Of a group: those of its data first, then those of its parities.
inline constexpr size_t kDataBlocks = kMaxData / kBlockShards;
inline constexpr size_t kGroupBlocks = kDataBlocks + kMaxParity / kBlockShards;
inline constexpr uint16_t kNoBlock = 0xffff;

struct Group {
  uint64_t base = 0;  // first packet number
  uint32_t lane = 0;
  uint32_t next = 0;     // of its hash chain
  uint64_t present = 0;  // bit sets of data shards: that arrived,
  uint64_t held = 0;     // that are held, as all but empty ones are,
  uint64_t pins = 0;     // and that hold a reference
  uint32_t parked = 0;   // bit sets of parity rows held: still sealed, opened
  uint32_t opened = 0;
  uint64_t since_us = 0;
  rte_mbuf* pinned = nullptr;          // the last one that data shards are in
  const rte_mbuf* last_big = nullptr;  // counted
  uint16_t length = 0;                 // of its parities, once one is opened
  uint16_t longest = 0;                // data shards held
  uint16_t shortest = 0xffff;
  uint16_t big_count = 0;  // big buffers pinned
  // Of its data records, k, m and stride in one: further ones that say the same
  // belong to it. 0 where each is to be looked at, as once k is known better.
  uint32_t form = 0;
  uint8_t meant = 0;   // k of its data records, 0 while none has come
  uint8_t actual = 0;  // k of an opened parity, 0 while none has
  uint8_t stride = 0;
  bool live = false;
  bool finished = false;
  std::array<uint16_t, kGroupBlocks> blocks = {kNoBlock, kNoBlock, kNoBlock,
                                               kNoBlock, kNoBlock, kNoBlock};

  // k as far as it is known.
  uint8_t data() const { return actual != 0 ? actual : meant; }
};

// Where a record lies: of a parked parity the whole of it, else its plaintext.
struct HeldShard {
  rte_mbuf* mbuf;  // of parities, and of data shards among Group::pins
  uint8_t* bytes;
  uint32_t length;
};

class GroupStore {
 public:
  struct Config {
    uint32_t max_groups = 4096;  // a power of two
    uint32_t max_shards = 2048;  // below kNoBlock
    // Buffers of merged frames that groups may pin, counted once a group.
    uint32_t max_big = 96;
    // Data room above which a buffer is one of merged frames.
    uint32_t big_room = 4096;
  };

  explicit GroupStore(const Config& config);
  ~GroupStore();
  GroupStore(const GroupStore&) = delete;
  GroupStore& operator=(const GroupStore&) = delete;

  // Null when the group is not known.
  Group* Find(uint32_t lane, uint64_t base) {
    if (found_->base == base && found_->lane == lane) return found_;
    return Search(lane, base);
  }
  // The group whose place the next one takes; null while there is room.
  Group* Replaced();
  // A new group; Replaced() has been finished.
  Group& Create(uint32_t lane, uint64_t base, uint64_t now_us);

  // One more shard may be held and the buffers of merged frames are within
  // bounds. Blocks run out first where parities were taken out in vain.
  bool HasRoom() const {
    return held_ < config_.max_shards && !free_blocks_.empty() &&
           big_count_ < config_.max_big;
  }
  // Both where there is room, at a place that is free. A parity's reference is
  // taken and its bit is the caller's to set; of a data shard the caller keeps
  // its own.
  void HoldParity(Group& group, const Frame& record, size_t row);
  void HoldData(Group& group, const Frame& record, size_t index);
  // Takes a parked parity out; the reference is the caller's.
  HeldShard TakeParked(Group& group, size_t row);
  // Frees what the group holds and marks it as finished.
  void Finish(Group& group);

  const HeldShard& DataAt(const Group& group, size_t index) const {
    return At(group, index);
  }
  const HeldShard& ParityAt(const Group& group, size_t row) const {
    return At(group, kMaxData + row);
  }

  // The oldest group that is not finished, or null.
  Group* Oldest();
  // Forgets all groups of a lane.
  void Release(uint32_t lane);

  uint32_t shards_held() const { return held_; }
  uint32_t big_pinned() const { return big_count_; }

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  using Block = std::array<HeldShard, kBlockShards>;

  const HeldShard& At(const Group& group, size_t place) const {
    return blocks_[group.blocks[place / kBlockShards]][place % kBlockShards];
  }
  HeldShard& Take(Group& group, size_t place);
  void CountBig(Group& group, const rte_mbuf* mbuf);
  Group* Search(uint32_t lane, uint64_t base);
  uint32_t& BucketOf(uint32_t lane, uint64_t base);
  void Unchain(uint32_t index);

  const Config config_;
  std::vector<Group> groups_;
  std::vector<uint32_t> buckets_;
  // As many as shards, most of which share one; the system has pages only
  // behind those that were needed.
  std::unique_ptr<Block[]> blocks_;
  std::vector<uint16_t> free_blocks_;
  // By the last look-up, records of a group come together; never null.
  Group none_;
  Group* found_ = &none_;
  uint64_t created_ = 0;  // the next group's number; its place is modulo size
  uint64_t oldest_ = 0;   // below it all groups are finished
  uint32_t held_ = 0;
  uint32_t big_count_ = 0;
};

}  // namespace lwt::fec
