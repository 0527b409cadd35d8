// Makes the parities of what a worker's lanes send.
//
// A data shard passes at once and unchanged; its bytes are added to the
// parities of its group on the way. `stride` groups are open together, a
// block, and take the shards in turn. The parities leave when the block is
// full or its time is up.
//
// Owned by one worker. Blocks come from a fixed store, parities are mbufs of
// the worker's pool; where either is used up, shards leave unprotected and are
// counted. A lane without traffic holds neither. Nothing is allocated after
// construction.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/fec/parameters.h"
#include "dataplane/names.h"
#include "dataplane/wire/record.h"
#include "drivers/reed_solomon.h"

namespace lwt::fec {

class Encoder {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  struct Config {
    rte_mempool* pool = nullptr;
    uint32_t max_lanes = 0;
    uint32_t max_blocks = 256;
    uint64_t flush_us = 2000;
    // Of a block of more than one group.
    uint64_t interleave_us = 20'000;
    ReedSolomon::Code code = ReedSolomon::Code::kAvx2;
  };

  explicit Encoder(const Config& config);
  ~Encoder();
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // How long blocks that begin from now on may wait: of one group, and of more.
  void SetWaits(uint64_t flush_us, uint64_t interleave_us) {
    config_.flush_us = flush_us;
    config_.interleave_us = interleave_us;
  }
  // From the lane's next block on. What exceeds the limits of parameters.h is
  // cut to them.
  void SetParameters(LaneIndex lane, const Parameters& parameters);
  const Parameters& parameters(LaneIndex lane) const {
    return lanes_[lane.value].parameters;
  }
  // The lane has something to do here: FEC is on or a block is still open.
  bool Active(LaneIndex lane) const {
    return lanes_[lane.value].parameters.on() ||
           lanes_[lane.value].block != kNone;
  }

  // Takes a data shard that will be sealed with `packet_number`, the lane's
  // next one. The answer is its place; that of no group where it goes
  // unprotected.
  wire::GroupPlace Add(LaneIndex lane, uint64_t packet_number,
                       std::span<const uint8_t> shard, uint64_t now_us);
  // Pushes the lane's parities, kMaxBlockParities at most, if its block is at
  // its end. They take the next packet numbers: so it is called behind each
  // shard, and before one where something else may have filled the block.
  void CloseFull(LaneIndex lane, PacketBurst& out);
  // A record of another kind takes this number: it counts as an empty shard of
  // the open block, so that the group's numbers stay evenly spaced.
  wire::GroupPlace Claim(LaneIndex lane, uint64_t packet_number);

  // Pushes the parities of blocks whose time is up, as long as `out` has room
  // for kMaxBlockParities.
  void Flush(uint64_t now_us, PacketBurst& out);
  // When the next block's time is up.
  uint64_t NextDeadline() const;
  // Forgets what the lane holds.
  void Release(LaneIndex lane);

  // Shards that went unprotected for want of a block or a buffer.
  uint64_t unprotected() const { return unprotected_; }
  uint32_t open_blocks() const { return open_blocks_; }

 private:
  static constexpr uint32_t kNone = 0xffffffff;

  struct Block {
    LaneIndex lane;
    uint32_t next = kNone;  // of its queue, or of the free ones
    uint32_t previous = kNone;
    uint32_t count = 0;  // numbers taken
    bool ended = false;  // takes no more
    uint64_t base = 0;   // first packet number
    uint64_t deadline_us = 0;
    Parameters parameters;
    std::array<uint16_t, kMaxStride> length{};  // longest shard of each group
    // parameters.parity of each group, group after group.
    std::array<rte_mbuf*, kMaxBlockParities> parities{};

    bool full() const {
      return ended || count == uint32_t{parameters.data} * parameters.stride;
    }
    std::span<rte_mbuf*> ParitiesOf(uint32_t group) {
      return std::span(parities).subspan(group * parameters.parity,
                                         parameters.parity);
    }
  };

  struct LaneState {
    Parameters parameters;
    uint32_t block = kNone;
  };

  // Blocks in the order of their deadlines.
  struct Queue {
    uint32_t head = kNone;
    uint32_t tail = kNone;
  };

  Queue& QueueOf(const Block& block) {
    return queues_[block.parameters.stride > 1 ? 1 : 0];
  }
  uint32_t Open(LaneIndex lane, uint64_t packet_number, uint64_t now_us);
  bool AddToGroup(Block& block, uint32_t group, uint32_t index,
                  std::span<const uint8_t> shard);
  static bool Continues(const Block& block, uint64_t packet_number);
  static wire::GroupPlace TakePlace(Block& block);
  void Close(uint32_t index, PacketBurst& out);
  void CloseGroup(Block& block, uint32_t group, PacketBurst& out);
  void Discard(LaneState& state);
  void Free(uint32_t index);
  void Unlink(uint32_t index);

  Config config_;
  const ReedSolomon code_;
  std::vector<LaneState> lanes_;
  std::vector<Block> blocks_;
  std::array<Queue, 2> queues_;
  uint32_t free_ = kNone;
  uint32_t open_blocks_ = 0;
  uint64_t unprotected_ = 0;
};

}  // namespace lwt::fec
