// How often a worker does what anybody can make it do.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/names.h"

namespace lwt {

// So many a second, and a tenth of that at once.
class EventBudget {
 public:
  explicit EventBudget(uint64_t per_second)
      : interval_us_(1'000'000 / per_second) {}

  bool Take(uint64_t now_us) {
    const uint64_t from = now_us > kBurstUs ? now_us - kBurstUs : 0;
    const uint64_t next = std::max(next_us_, from);
    if (next > now_us) return false;
    next_us_ = next + interval_us_;
    return true;
  }

 private:
  static constexpr uint64_t kBurstUs = 100'000;
  const uint64_t interval_us_;
  uint64_t next_us_ = 0;
};

// ICMP errors, bounded as Linux bounds its own: so many to hosts of the inside,
// and so many to peers, of which one has a part.
class IcmpBudget {
 public:
  static constexpr uint64_t kPerSecond = 1000;
  static constexpr uint64_t kPerSecondEach = 250;
  static constexpr PeerIndex kInside = PeerIndex::kNone;

  // `to` is a peer's index, or kInside. Peers whose indices differ by a
  // multiple of the places share one.
  bool Take(PeerIndex to, uint64_t now_us) {
    if (to == kInside) return inside_.Take(now_us);
    return each_[to.value % each_.size()].Take(now_us) && peers_.Take(now_us);
  }

 private:
  struct Each : EventBudget {
    Each() : EventBudget(kPerSecondEach) {}
  };
  EventBudget inside_{kPerSecond};
  EventBudget peers_{kPerSecond};
  std::array<Each, 64> each_;
};

}  // namespace lwt
