// How long to wait for a peer's words on a way of which one round trip is
// known: that of its SYN.
//
// Where that is not, or is short, what a way of a second or two needs. No round
// trip counts for more than kLongestUs: whoever answers a SYN late is not to
// hold what it is given for long.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lwt::peer {

class Patience {
 public:
  static constexpr uint64_t kLongestUs = 10'000'000;

  Patience() = default;
  explicit Patience(uint64_t rtt_us) : rtt_us_(std::min(rtt_us, kLongestUs)) {}

  // For one word: it, or the one that asks for it, may be lost once.
  uint64_t ForWord(uint64_t least_us) const {
    return std::max(least_us, 3 * rtt_us_);
  }
  // For a whole exchange, two of these.
  uint64_t ForExchange(uint64_t least_us) const {
    return std::max(least_us, 6 * rtt_us_);
  }

 private:
  uint64_t rtt_us_ = 0;
};

}  // namespace lwt::peer
