// The groups that a worker's lanes receive, and the shards held for them.
//
// A group is open until it is finished: then it holds no shard but stays known,
// so that its late parities are known to be unneeded. Of groups, of shards held
// and of buffers of merged frames there is a fixed number for all lanes; who
// wants one more when all are in use takes it from the lane that holds the most
// (dataplane/fair_shares.h): its groups that are finished first, then its
// oldest one. Shards held are references of mbufs; data records side by side in
// a merged frame share one. Each stands at its index, in blocks that a group
// takes as its shards come and gives back with the last one in them.
//
// Peers choose the numbers of their groups, so the table that finds them is
// keyed, and a chain in it has kMaxChain groups at most. Nothing is allocated
// after construction; a look-up takes kMaxChain steps at most and a hold O(1),
// the end of a group a step for each reference.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/fair_shares.h"
#include "dataplane/fec/bit_set.h"
#include "dataplane/fec/parameters.h"
#include "dataplane/names.h"
#include "dataplane/sip_hash.h"

namespace lwt::fec {

// Shards of a block.
inline constexpr size_t kBlockShards = 16;
// Of a group: those of its data first, then those of its parities.
inline constexpr size_t kDataBlocks = kMaxData / kBlockShards;
inline constexpr size_t kGroupBlocks = kDataBlocks + kMaxParity / kBlockShards;
inline constexpr uint16_t kNoBlock = 0xffff;

// Neighbours in a list of groups.
struct GroupLinks {
  uint32_t next = 0xffffffff;
  uint32_t previous = 0xffffffff;
};

struct Group {
  uint64_t base = 0;  // first packet number
  LaneIndex lane;
  uint32_t next = 0;     // of its hash chain
  uint32_t bucket = 0;   // that its chain begins at
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
  bool finished = false;
  std::array<uint16_t, kGroupBlocks> blocks = {kNoBlock, kNoBlock, kNoBlock,
                                               kNoBlock, kNoBlock, kNoBlock};
  GroupLinks of_lane;  // among its lane's that are open, or that are finished
  GroupLinks of_all;   // among all that are open

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
  // Groups that a look-up passes at most. Half as many groups as buckets make a
  // longer chain about once in 10^8 groups, unless the key is known.
  static constexpr uint32_t kMaxChain = 8;

  struct Config {
    uint32_t max_lanes = 4;
    uint32_t max_groups = 4096;  // a power of two
    uint32_t max_shards = 2048;  // below kNoBlock
    // Buffers of merged frames that groups may pin, counted once a group.
    uint32_t max_big = 96;
    // Data room above which a buffer is one of merged frames.
    uint32_t big_room = 4096;
    SipKey key;  // that peers do not know
  };

  explicit GroupStore(const Config& config);
  ~GroupStore();
  GroupStore(const GroupStore&) = delete;
  GroupStore& operator=(const GroupStore&) = delete;

  // Null when the group is not known.
  Group* Find(LaneIndex lane, uint64_t base) {
    Group* recent = recent_[base % kRecent];
    if (recent->base == base && recent->lane == lane) return recent;
    return Search(lane, base);
  }
  // Of the group that the last Find did not know: what has to be forgotten
  // first, perhaps another lane's, until this is null;
  Group* InTheWay();
  // and the new group, once nothing is in its way.
  Group& Create(LaneIndex lane, uint64_t base, uint64_t now_us);
  // The group is known no more; it has been finished.
  void Forget(Group& group);

  // One more shard may be held and the buffers of merged frames are within
  // bounds.
  bool HasRoom() const {
    return shards_.total() < config_.max_shards &&
           big_.total() < config_.max_big;
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

  // The oldest open group, or null.
  Group* Oldest() { return GroupAt(open_.head); }
  // The open group to be given up where there is no room.
  Group* Crowding();
  // Forgets all groups of a lane.
  void Release(LaneIndex lane);

  uint32_t shards_held() const { return shards_.total(); }
  uint32_t big_pinned() const { return big_.total(); }
  const LaneShares& groups_known() const { return known_; }
  // Steps of look-ups, in all.
  uint64_t steps() const { return steps_; }

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  // Groups that take turns have neighbouring numbers.
  static constexpr size_t kRecent = kMaxStride;

  using Block = std::array<HeldShard, kBlockShards>;

  struct List {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };
  struct LaneGroups {
    List open;  // in the order they began
    List finished;
  };

  const HeldShard& At(const Group& group, size_t place) const {
    return blocks_[group.blocks[place / kBlockShards]][place % kBlockShards];
  }
  Group* GroupAt(uint32_t index) {
    return index == kNone ? nullptr : &groups_[index];
  }
  uint32_t IndexOf(const Group& group) const {
    return static_cast<uint32_t>(&group - groups_.data());
  }
  List& ListOf(const Group& group) {
    LaneGroups& lane = lanes_[group.lane.value];
    return group.finished ? lane.finished : lane.open;
  }
  void Append(List& list, GroupLinks Group::*links, Group& group);
  void Remove(List& list, GroupLinks Group::*links, Group& group);
  HeldShard& Take(Group& group, size_t place);
  void GiveBack(uint16_t& block);
  void CountBig(Group& group, const rte_mbuf* mbuf);
  Group* Search(LaneIndex lane, uint64_t base);
  Group* TooManyInChain();
  Group* OldestOf(LaneIndex lane);

  const Config config_;
  std::vector<Group> groups_;
  std::vector<uint32_t> buckets_;
  std::vector<LaneGroups> lanes_;
  // As many as shards, most of which share one; the system has pages only
  // behind those that were needed.
  std::unique_ptr<Block[]> blocks_;
  std::vector<uint16_t> free_blocks_;
  // By the last look-ups, records of a group come together; never null.
  Group none_;
  std::array<Group*, kRecent> recent_;
  List open_;            // of all lanes, in the order they began
  uint32_t free_group_;  // the first of those not in use, linked by `next`
  uint32_t bucket_ = 0;  // of the last Search
  LaneShares known_;
  LaneShares shards_;
  LaneShares big_;
  uint64_t steps_ = 0;
};

}  // namespace lwt::fec
