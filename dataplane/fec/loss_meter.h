// Counts what a lane's path loses, as the receiver sees it: packet numbers that
// did not come before what was sent after them.
//
// A number that comes late within `reorder_us` was not lost but reordered;
// later, it was sent again.
//
// Only records that were opened count. A parity may stay sealed, and whoever
// flips bits of a record on its way chooses its number: so one that stays
// sealed has to be the very next number, and no more of them follow each other
// than opened data promises. All that such a number does is to be missed by
// nobody when a later record is opened, and not even that where the later one
// shows that data had this number. Any other parity is opened before it counts.
// So a forged number never makes a loss; it hides one at most, of the numbers
// between two groups' data, and no more than the group has parities.
//
// Owned by a lane's receive half; no allocation; 4 KiB. A record in order costs
// two comparisons, one out of order a search among the gaps.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace lwt::fec {

class LossMeter {
 public:
  // Gaps that are remembered: with one record in ten out of its turn, those of
  // 2500 records, which at 100 000 a second is a round trip of 50 ms and its
  // half again. What belongs to an older gap stays counted as lost.
  static constexpr size_t kGaps = 256;

  struct Arrival {
    uint64_t number = 0;
    // From here to `number` all numbers were given to data of its block.
    uint64_t data_since = 0;
    // Not a parity: when it is sent again, it was data that FEC did not give
    // back.
    bool is_shard = true;
  };

  // A record was opened, for the first time. True where it had been lost, and
  // was sent again.
  bool Seen(const Arrival& arrival, uint64_t now_us, uint64_t reorder_us) {
    const uint64_t number = arrival.number;
    if (number < next_) return CloseLate(arrival, now_us, reorder_us);
    const uint64_t sealed_end = next_ + sealed_;
    const uint64_t first = std::clamp(arrival.data_since, next_, sealed_end);
    if (number > first) OpenGap(first, number - first, now_us);
    sealed_ = number < sealed_end ? sealed_end - number - 1 : 0;
    next_ = number + 1;
    return false;
  }
  // It came in its turn, and Seen had nothing to count.
  bool SeenInTurn(uint64_t number) {
    if (number != next_ || sealed_ != 0) return false;
    ++next_;
    return true;
  }
  // A parity that nothing has proven came. False where its number must not be
  // believed: open it.
  bool SeenSealed(uint64_t number) {
    if (number != next_ + sealed_ || sealed_ >= most_sealed_) return false;
    ++sealed_;
    return true;
  }
  // Opened data says how many parities its block has.
  void ExpectParities(uint32_t count) { most_sealed_ = count; }

  // One more than the highest number opened.
  uint64_t next() const { return next_; }
  uint64_t lost() const { return lost_; }
  // Runs of lost numbers.
  uint64_t bursts() const { return bursts_; }
  // Lost shards that came when they were sent again.
  uint64_t resent() const { return resent_; }
  // Of those the ones that FEC would have given back much sooner.
  uint64_t resent_late() const { return resent_late_; }

 private:
  // Some times what a group waits for its parities. On a path where sending
  // again is as quick, it is as good.
  static constexpr uint32_t kLateUs = 10'000;
  // Of a longer gap the end is remembered; the replay window is no longer.
  static constexpr uint64_t kMaxCount = 0xffff;

  struct Gap {
    uint64_t first = 0;
    // Comes round in 71 minutes: what is as late as that may count as
    // reordered.
    uint32_t since_us = 0;
    uint16_t count = 0;
    uint16_t open = 0;  // of them have not come
  };
  static_assert(sizeof(Gap) == 16);

  void OpenGap(uint64_t first, uint64_t count, uint64_t now_us) {
    const uint64_t kept = std::min(count, kMaxCount);
    Gap& gap = GapAt(opened_++);
    gap.first = first + count - kept;
    gap.since_us = static_cast<uint32_t>(now_us);
    gap.count = static_cast<uint16_t>(kept);
    gap.open = gap.count;
    lost_ += count;
    ++bursts_;
  }

  Gap& GapAt(uint64_t index) { return gaps_[index % kGaps]; }

  // The gap of this number, or null. They stand in ascending order.
  Gap* FindGap(uint64_t number) {
    const uint64_t oldest = opened_ > kGaps ? opened_ - kGaps : 0;
    uint64_t low = oldest;
    uint64_t high = opened_;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      if (GapAt(middle).first <= number) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == oldest) return nullptr;
    Gap& gap = GapAt(low - 1);
    return number - gap.first < gap.count ? &gap : nullptr;
  }

  bool CloseLate(const Arrival& arrival, uint64_t now_us, uint64_t reorder_us) {
    Gap* const gap = FindGap(arrival.number);
    if (gap == nullptr || gap->open == 0) return false;
    --gap->open;
    const uint32_t after_us = static_cast<uint32_t>(now_us) - gap->since_us;
    if (after_us > reorder_us) {
      if (arrival.is_shard) ++resent_;
      if (arrival.is_shard && after_us > kLateUs) ++resent_late_;
      return true;
    }
    --lost_;
    if (gap->open == 0) --bursts_;
    return false;
  }

  uint64_t next_ = 0;
  uint32_t sealed_ = 0;       // parities from next_ on that nothing has proven
  uint32_t most_sealed_ = 0;  // of them
  uint64_t lost_ = 0;
  uint64_t bursts_ = 0;
  uint64_t resent_ = 0;
  uint64_t resent_late_ = 0;
  uint64_t opened_ = 0;
  std::array<Gap, kGaps> gaps_{};
};

}  // namespace lwt::fec
