// The groups that a worker's lanes receive, and the shards held for them.
//
// Groups stand in a ring in the order in which they began; the newest takes the
// place of the oldest. A group that is finished holds no shard but stays known
// until its place is taken, so that its late parities are known to be unneeded.
// Shards held are references of mbufs, limited in number; data records side by
// side in a merged frame share one. Nothing is allocated after construction; a
// look-up, a hold and a release cost O(1).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/fec/parameters.h"

namespace lwt::fec {

struct Group {
  uint32_t lane = 0;
  uint32_t shards = 0;  // head of the list of those held
  uint64_t base = 0;    // first packet number
  uint64_t since_us = 0;
  uint64_t present = 0;  // bit set of data shards that arrived
  uint32_t parked = 0;   // bit sets of parity rows held: still sealed, opened
  uint32_t opened = 0;
  uint32_t next = 0;       // of its hash chain
  uint16_t length = 0;     // of its parities, once one is opened
  uint16_t longest = 0;    // data shard held
  uint16_t big_count = 0;  // big buffers pinned
  uint8_t meant = 0;       // k of its data records, 0 while none has come
  uint8_t actual = 0;      // k of an opened parity, 0 while none has
  uint8_t stride = 0;
  bool live = false;
  bool finished = false;
  const rte_mbuf* pinned = nullptr;    // the last one that data shards are in
  const rte_mbuf* last_big = nullptr;  // counted

  // k as far as it is known.
  uint8_t data() const { return actual != 0 ? actual : meant; }
};

struct HeldShard {
  enum class Kind : uint8_t { kData, kParked, kOpened };

  rte_mbuf* mbuf = nullptr;  // null where an earlier data shard pins it
  uint8_t* bytes = nullptr;  // plaintext; of a parked one the whole record
  uint32_t length = 0;
  uint32_t next = 0;
  Kind kind{};
  uint8_t index = 0;
};

class GroupStore {
 public:
  static constexpr uint32_t kNone = 0xffffffff;

  struct Config {
    uint32_t max_groups = 4096;  // a power of two
    uint32_t max_shards = 2048;
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
  Group* Find(uint32_t lane, uint64_t base);
  // The group whose place the next one takes; null while there is room.
  Group* Replaced();
  // A new group; Replaced() has been finished.
  Group& Create(uint32_t lane, uint64_t base, uint64_t now_us);

  // There is a shard left and the buffers of merged frames are within bounds.
  bool HasRoom() const {
    return free_ != kNone && big_count_ < config_.max_big;
  }
  // Both where there is room. A parity's reference is taken; of a data shard
  // the caller keeps its own.
  void HoldParity(Group& group, const Frame& record, HeldShard::Kind kind,
                  uint8_t index);
  void HoldData(Group& group, const Frame& record, uint8_t index);
  // Takes a parked parity out; the reference is the caller's.
  HeldShard TakeParked(Group& group, uint8_t index);
  // Frees what the group holds and marks it as finished.
  void Finish(Group& group);

  // The oldest group that is not finished, or null.
  Group* Oldest();
  // Forgets all groups of a lane.
  void Release(uint32_t lane);

  // Calls visit(const HeldShard&) for each shard held.
  template <class Visit>
  void ForEach(const Group& group, const Visit& visit) const {
    for (uint32_t at = group.shards; at != kNone; at = shards_[at].next) {
      visit(shards_[at]);
    }
  }

  uint32_t shards_held() const { return held_; }
  uint32_t big_pinned() const { return big_count_; }

 private:
  void Hold(Group& group, const Frame& record, rte_mbuf* mbuf,
            HeldShard::Kind kind, uint8_t index);
  void CountBig(Group& group, const rte_mbuf* mbuf);
  uint32_t& BucketOf(uint32_t lane, uint64_t base);
  void Unchain(uint32_t index);

  const Config config_;
  std::vector<Group> groups_;
  std::vector<uint32_t> buckets_;
  std::vector<HeldShard> shards_;
  // By the last Find: records of a group come together.
  Group* found_ = nullptr;
  uint64_t created_ = 0;   // the next group's number; its place is modulo size
  uint64_t oldest_ = 0;    // below it all groups are finished
  uint32_t free_ = kNone;  // of shards_
  uint32_t held_ = 0;
  uint32_t big_count_ = 0;
};

}  // namespace lwt::fec
