// How much of a worker's time each peer takes, and, where there is more to do
// than time, whose records go unread. All lanes of a peer count together, so
// that more of them do not take more.
//
// The uplink queues frames of all peers in one line. Whoever sends most stands
// in it most, and when it is full all lose alike. So the worker has to be done
// at once with what one peer sends too much of. It is behind when the uplink
// gave full bursts for kBehindUs. Then a peer that has had its part of a period
// has the rest of what it sends dropped before it is opened, at a fraction of
// the cost. The part begins below what the largest peer took, shrinks while the
// worker stays behind, down to an equal one and an eighth, so that peers that
// are alike never cut each other, and grows again when it has caught up: what
// the others do not need, one peer may have. One that was alone for kAloneUs
// has all: before, a packet that others send now and then would find the line
// full.
//
// Costs are weights, about TSC cycles. Owned by one worker; no memory is taken
// after construction; some ten instructions for a record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lwt {

class WorkShares {
 public:
  static constexpr uint64_t kPeriodUs = 2000;
  static constexpr uint64_t kBehindUs = 5000;
  static constexpr uint64_t kAloneUs = 2'000'000;
  // Of a record or a packet, to which one for each of its bytes is added, and
  // of a shard that was given back. Rough ones do: what they miss makes the
  // part shrink for longer.
  static constexpr uint32_t kRecord = 2000;
  static constexpr uint32_t kRepaired = 4000;
  // What tells the peer how its lane is goes on for so many parts.
  static constexpr uint64_t kSessionParts = 4;
  // A part is never less: some dozens of records.
  static constexpr uint64_t kLeastPart = 100'000;

  explicit WorkShares(uint32_t peers) : peers_(peers) {}

  // At the begin of each loop.
  void Turn(uint64_t now_us) {
    if (!full_) caught_up_us_ = now_us;
    full_ = false;
    if (now_us - since_us_ >= kPeriodUs) Divide(now_us);
  }
  // The uplink has more than was taken.
  void SawMore() { full_ = true; }

  // Work of this cost is to be done for the peer: false when that is beyond
  // `parts` of its part.
  bool Take(uint32_t peer, uint32_t cost, uint64_t parts = 1) {
    Peer& taken = Current(peer);
    if (taken.work >= parts * part_) [[unlikely]] {
      return false;
    }
    Add(taken, cost);
    return true;
  }
  // It was done.
  void Charge(uint32_t peer, uint32_t cost) { Add(Current(peer), cost); }

  bool limited() const { return part_ != kUnlimited; }

 private:
  // Four of them do not overflow.
  static constexpr uint64_t kUnlimited = uint64_t{1} << 60;

  struct Peer {
    uint64_t work = 0;
    uint64_t period = 0;
  };

  Peer& Current(uint32_t peer) {
    Peer& current = peers_[peer];
    if (current.period != period_) {
      current = {.work = 0, .period = period_};
      ++active_;
    }
    return current;
  }
  void Add(Peer& peer, uint32_t cost) {
    peer.work += cost;
    done_ += cost;
    largest_ = std::max(largest_, peer.work);
  }
  void Divide(uint64_t now_us);

  std::vector<Peer> peers_;
  uint64_t part_ = kUnlimited;
  uint64_t period_ = 1;
  uint64_t since_us_ = 0;         // when the period began
  uint64_t caught_up_us_ = 0;     // when the uplink had no more than was taken
  uint64_t shared_until_us_ = 0;  // kAloneUs after a period of several peers
  uint64_t done_ = 0;             // in this period, for all peers
  uint64_t largest_ = 0;          // and for the one that took most
  uint32_t active_ = 0;           // peers in this period
  bool full_ = false;
};

}  // namespace lwt
