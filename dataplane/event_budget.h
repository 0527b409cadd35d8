// How often a worker does what anybody can make it do.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/names.h"

namespace lwt {

// So many a second, and a tenth of that at once.
class EventBudget {
 public:
  explicit EventBudget(uint64_t per_second)
      : interval_us_(1'000'000 / per_second) {}

  bool Has(uint64_t now_us) const { return next_us_ <= now_us; }
  // Where it has one.
  void Charge(uint64_t now_us) {
    const uint64_t from = now_us > kBurstUs ? now_us - kBurstUs : 0;
    next_us_ = std::max(next_us_, from) + interval_us_;
  }
  bool Take(uint64_t now_us) {
    if (!Has(now_us)) return false;
    Charge(now_us);
    return true;
  }

 private:
  static constexpr uint64_t kBurstUs = 100'000;
  const uint64_t interval_us_;
  uint64_t next_us_ = 0;
};

// ICMP errors: so many to hosts of the inside, as Linux bounds its own, and so
// many to each peer. What peers have in sum takes a quarter of all of them to
// use up, so that a few leave the others theirs.
class IcmpBudget {
 public:
  static constexpr uint64_t kPerSecond = 1000;
  static constexpr uint64_t kPerSecondEach = 50;
  static constexpr PeerIndex kInside = PeerIndex::kNone;

  explicit IcmpBudget(uint32_t peers)
      : peers_(InSum(peers)), each_(std::max(peers, 1u)) {}

  // `to` is a peer's index, or kInside.
  bool Has(PeerIndex to, uint64_t now_us) const {
    if (to == kInside) return inside_.Has(now_us);
    return each_[PlaceOf(to)].Has(now_us) && peers_.Has(now_us);
  }
  // Where it has one.
  void Charge(PeerIndex to, uint64_t now_us) {
    if (to == kInside) return inside_.Charge(now_us);
    each_[PlaceOf(to)].Charge(now_us);
    peers_.Charge(now_us);
  }

 private:
  static constexpr uint64_t kMostInSum = 100'000;
  static uint64_t InSum(uint64_t peers) {
    return std::clamp(peers * kPerSecondEach / 4, kPerSecond, kMostInSum);
  }
  size_t PlaceOf(PeerIndex peer) const { return peer.value % each_.size(); }

  struct Each : EventBudget {
    Each() : EventBudget(kPerSecondEach) {}
  };
  EventBudget inside_{kPerSecond};
  EventBudget peers_;
  std::vector<Each> each_;
};

}  // namespace lwt
