// Gives back what was lost on the way to a worker's lanes.
//
// Opened data is delivered by others at once; the decoder holds references of
// it until its group is complete. Parities stay sealed until a data shard of
// their group is missing and enough of them are there. What comes back is
// committed in the replay window under the number it was sent with, so that
// the original, arriving later, is a duplicate.
//
// Owned by one worker. Bounded in groups, shards and time, see GroupStore;
// beyond them the oldest group of the lane that holds the most is given up.
// Nothing is allocated after construction. A record of a complete group costs
// about 20 TSC cycles, and 20 more where it has a frame of its own.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/burst.h"
#include "dataplane/drop_reason.h"
#include "dataplane/fec/group_store.h"
#include "dataplane/fec/repair_cache.h"
#include "dataplane/names.h"
#include "dataplane/wire/record.h"
#include "drivers/reed_solomon.h"

namespace lwt::fec {

// What the decoder needs of the worker and its lanes.
class DecoderHost {
 public:
  // Opens a sealed record in place: `record` is its plaintext then, its header
  // proven. False when it did not open; the record was dropped.
  [[nodiscard]] virtual bool OpenParity(Frame& record) = 0;
  // Nothing was opened under this packet number.
  virtual bool IsNew(LaneIndex lane, uint64_t packet_number) = 0;
  // Takes the number. False when it is taken.
  virtual bool Commit(LaneIndex lane, uint64_t packet_number) = 0;
  // How many repaired shards of the lane Deliver takes now.
  virtual size_t room(LaneIndex lane) = 0;
  virtual void Deliver(const Frame& shard) = 0;
  virtual void Drop(const Frame& record, DropReason reason) = 0;
  // `count` data shards were given back, or given up.
  virtual void CountRepaired(LaneIndex lane, size_t count) = 0;
  virtual void CountUnrepaired(LaneIndex lane, size_t count) = 0;

 protected:
  ~DecoderHost() = default;
};

class Decoder {
 public:
  struct Config {
    GroupStore::Config store;
    rte_mempool* pool = nullptr;  // for repaired shards
    // A group is given up after this; longer than parities take to arrive.
    uint64_t lifetime_us = 300'000;
    ReedSolomon::Code code = ReedSolomon::Code::kAvx2;
  };

  explicit Decoder(const Config& config);

  // A record of a group was opened, no parity; it stays the caller's. One of
  // another kind than data is an empty shard. False when the place is
  // impossible.
  [[nodiscard]] bool OnShard(const Frame& record, uint64_t now_us,
                             DecoderHost& host);
  // A parity, sealed, its header unmasked but not proven. Takes the record.
  void OnParity(const Frame& record, uint64_t now_us, DecoderHost& host);
  // A parity that was opened already. Takes the record.
  void OnOpenedParity(const Frame& record, uint64_t now_us, DecoderHost& host);
  // Gives up groups whose time is over.
  void Expire(uint64_t now_us, DecoderHost& host);
  // Forgets what the lane holds.
  void Release(LaneIndex lane) { store_.Release(lane); }

  const GroupStore& store() const { return store_; }

 private:
  // What a solve works on: `count` shards are missing.
  struct Solve {
    uint64_t missing = 0;  // bit sets of them, and of the parities for them
    uint32_t rows = 0;
    size_t count = 0;
    std::array<uint8_t*, kMaxParity> sums;
    std::array<rte_mbuf*, kMaxParity> mbufs;
    std::array<uint8_t*, kMaxParity> out;
  };

  Group& Begin(LaneIndex lane, uint64_t base, uint64_t now_us,
               DecoderHost& host);
  Group* GroupOfShard(const Frame& record, uint64_t now_us, DecoderHost& host);
  bool MakeRoom(const Group& group, DecoderHost& host);
  void GiveUp(Group& group, DecoderHost& host);
  void OpenNow(const Frame& record, uint64_t now_us, DecoderHost& host);
  Group* GroupOfParity(const Frame& record, uint64_t now_us, DecoderHost& host);
  void TakeOpened(Group& group, const Frame& record, DecoderHost& host);
  void OpenParked(Group& group, DecoderHost& host);
  void TryRepair(Group& group, DecoderHost& host);
  bool Prepare(const Group& group, Solve& solve);
  bool SolveWhole(const Group& group, const Solve& solve);
  void SolveInSteps(const Group& group, Solve& solve);
  void TakeOut(const HeldShard& shard, size_t index, Solve& solve);
  void DeliverRepaired(const Group& group, const Solve& solve,
                       DecoderHost& host);

  const Config config_;
  const ReedSolomon code_;
  RepairCache cache_;
  GroupStore store_;
};

}  // namespace lwt::fec
