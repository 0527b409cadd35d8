// How much of a worker's time each peer takes, and, where there is more to do
// than time, whose records go unread. All lanes of a peer count together, so
// that more of them do not take more.
//
// A port queues frames of all peers in one line: the uplink what they send, the
// tunnel device what goes to them. Whoever sends or gets most stands in it
// most, and when it is full all lose alike. So the worker has to be done at
// once with what is too much of one peer. It is behind when the port gave full
// bursts for kBehindUs. Then the rest of a peer that has spent its credit is
// dropped before it is opened or sealed, at a fraction of the cost. Each way
// has shares of its own.
//
// Each period earns a part, and what a peer leaves of kSavedParts it may spend
// later: TCP sends in bursts, and a peer that needs less than its part on
// average loses nothing by them.
//
// The part begins below what the largest peer took and shrinks while the worker
// stays behind, down to an equal one of what is done and an eighth, so that
// peers that are alike never cut each other. It grows again when the worker has
// caught up: what the others do not need, one peer may have. One that was alone
// for kAloneUs has all: before, a packet that others send now and then would
// find the line full.
//
// Costs are weights, about TSC cycles. Owned by one worker; no memory is taken
// after construction; some ten instructions for a record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/names.h"

namespace lwt {

class WorkShares {
 public:
  static constexpr uint64_t kPeriodUs = 2000;
  static constexpr uint64_t kBehindUs = 5000;
  static constexpr uint64_t kAloneUs = 2'000'000;
  // Of credit: 16 ms, so that what comes of it at once is not felt as a delay.
  static constexpr uint64_t kSavedParts = 8;
  // Of a record or a packet, to which one for each of its bytes is added, and
  // of a shard that was given back. Rough ones do: what they miss makes the
  // part shrink for longer.
  static constexpr uint32_t kRecord = 2000;
  static constexpr uint32_t kRepaired = 4000;
  // What tells the peer how its lane is goes on for so many parts.
  static constexpr uint64_t kSessionOverdraft = 3;
  // A part is never less: some dozens of records.
  static constexpr uint64_t kLeastPart = 100'000;

  explicit WorkShares(uint32_t peers) : peers_(peers) {}

  // At the start of each loop.
  void Turn(uint64_t now_us) {
    if (!full_) caught_up_us_ = now_us;
    full_ = false;
    if (now_us - since_us_ >= kPeriodUs) Divide(now_us);
    counts_ = limited() || now_us - caught_up_us_ >= kPeriodUs;
  }
  // Whether it matters who takes how much: not while the worker keeps up. Who
  // asks may leave out Take and Charge till then.
  bool counts() const { return counts_; }
  // The port has more than was taken.
  void SawMore() { full_ = true; }

  // Work of this cost is to be done for the peer: false when its credit is
  // spent, and `overdraft` parts on top.
  [[nodiscard]] bool Take(PeerIndex peer, uint32_t cost,
                          uint64_t overdraft = 0) {
    Peer& taken = Current(peer);
    if (taken.credit + static_cast<int64_t>(overdraft * part_) <= 0)
        [[unlikely]] {
      return false;
    }
    Add(taken, cost);
    return true;
  }
  // It was done.
  void Charge(PeerIndex peer, uint32_t cost) { Add(Current(peer), cost); }

  bool limited() const { return part_ != kUnlimited; }

 private:
  // Twice kSavedParts of them do not overflow.
  static constexpr uint64_t kUnlimited = uint64_t{1} << 56;

  // Peers that send now and then are still there in a period without them.
  static constexpr uint64_t kWindow = 8;  // periods

  struct Peer {
    uint64_t work = 0;   // in this period
    int64_t credit = 0;  // below 0: work that was done unasked
    uint64_t period = 0;
  };

  Peer& Current(PeerIndex peer) {
    Peer& current = peers_[peer.value];
    if (current.period != period_) Begin(current);
    return current;
  }
  // The first work of a peer in this period. Nothing is saved of the time
  // without a limit. What was overdrawn is owed, or a peer whose words are all
  // about its lane would have so many parts of every period.
  void Begin(Peer& begun) {
    const bool fresh = begun.period < limited_since_;
    const uint64_t periods =
        fresh ? 1 : std::min(period_ - begun.period, kSavedParts);
    const auto most_owed = static_cast<int64_t>(kSessionOverdraft * part_);
    const int64_t saved = fresh ? 0 : std::max(begun.credit, -most_owed);
    begun.credit = std::min(saved + static_cast<int64_t>(periods * part_),
                            static_cast<int64_t>(kSavedParts * part_));
    if (begun.period / kWindow != period_ / kWindow) ++active_;
    begun.work = 0;
    begun.period = period_;
  }
  void Add(Peer& peer, uint32_t cost) {
    peer.credit -= cost;
    peer.work += cost;
    done_ += cost;
    largest_ = std::max(largest_, peer.work);
  }
  void Divide(uint64_t now_us);
  uint64_t NextPart(uint64_t now_us);

  std::vector<Peer> peers_;
  uint64_t part_ = kUnlimited;
  uint64_t period_ = 1;
  uint64_t limited_since_ = 0;    // the period
  uint64_t since_us_ = 0;         // when the period began
  uint64_t caught_up_us_ = 0;     // when the port had no more than was taken
  uint64_t shared_until_us_ = 0;  // kAloneUs after a period of several peers
  uint64_t done_ = 0;             // in this period, for all peers
  uint64_t usual_ = 0;            // the mean of it over the last kWindow
  uint64_t largest_ = 0;          // and for the one that took most
  uint32_t active_ = 0;           // peers in this window of periods
  uint32_t active_before_ = 0;    // and in the one before
  bool full_ = false;
  bool counts_ = false;
};

}  // namespace lwt
