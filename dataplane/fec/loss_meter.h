// Counts what a lane's path loses, as the receiver sees it: packet numbers that
// did not come before what was sent after them.
//
// A number that comes late within `reorder_us` was not lost but reordered;
// later, it was sent again. Owned by a lane's receive half; no allocation. A
// record in order costs two comparisons.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace lwt::fec {

class LossMeter {
 public:
  // A record with this number arrived, for the first time; `opened` is false
  // for one that stays sealed.
  void Seen(uint64_t number, uint64_t now_us, uint64_t reorder_us,
            bool opened = true) {
    if (number >= next_) {
      if (number > next_) OpenGap(number - next_, now_us);
      next_ = number + 1;
    } else {
      CloseLate(number, now_us, reorder_us, opened);
    }
  }
  // It came in its turn, and Seen had nothing to count.
  bool SeenInTurn(uint64_t number) {
    if (number != next_) return false;
    ++next_;
    return true;
  }
  // Whether a number that nothing has proven yet may be taken for one of this
  // lane: not far ahead.
  bool IsNear(uint64_t number) const { return number < next_ + kMaxJump; }

  uint64_t next() const { return next_; }
  uint64_t lost() const { return lost_; }
  // Runs of lost numbers.
  uint64_t bursts() const { return bursts_; }
  // Lost ones that came when they were sent again, and were opened.
  uint64_t resent() const { return resent_; }
  // Of those the ones that FEC would have given back much sooner.
  uint64_t resent_late() const { return resent_late_; }

 private:
  static constexpr size_t kGaps = 32;
  static constexpr uint64_t kMaxJump = 4096;
  // Some times what a group waits for its parities. On a path where sending
  // again is as quick, it is as good.
  static constexpr uint64_t kLateUs = 10'000;

  struct Gap {
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t open = 0;  // of them have not come
    uint64_t since_us = 0;
  };

  void OpenGap(uint64_t count, uint64_t now_us) {
    gaps_[opened_++ % kGaps] = {next_, count, count, now_us};
    lost_ += count;
    ++bursts_;
  }

  void CloseLate(uint64_t number, uint64_t now_us, uint64_t reorder_us,
                 bool opened) {
    const auto gap =
        std::find_if(gaps_.begin(), gaps_.end(), [number](const Gap& each) {
          return number >= each.first && number - each.first < each.count;
        });
    if (gap == gaps_.end() || gap->open == 0) return;
    --gap->open;
    const uint64_t after_us = now_us - gap->since_us;
    if (after_us > reorder_us) {
      if (opened) ++resent_;
      if (opened && after_us > kLateUs) ++resent_late_;
      return;
    }
    --lost_;
    if (gap->open == 0) --bursts_;
  }

  uint64_t next_ = 0;
  uint64_t lost_ = 0;
  uint64_t bursts_ = 0;
  uint64_t resent_ = 0;
  uint64_t resent_late_ = 0;
  uint64_t opened_ = 0;
  std::array<Gap, kGaps> gaps_{};
};

}  // namespace lwt::fec
