// How much may be sent now, by a rate that somebody set. What is sent beyond
// it, since it may not wait, is owed.
//
// A plain record of whoever sends; a few instructions each.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lwt::session {

class TokenBucket {
 public:
  // What was not sent may be later: a worker that was away for a moment makes
  // up for it, and a line behind it gets no longer burst than that.
  static constexpr uint64_t kDepthUs = 5'000;
  // Two full records with their headers, or a slow rate would let none go.
  static constexpr int64_t kLeastDepth = 3'200;
  // What was owed for longer is forgiven.
  static constexpr uint64_t kMostOwedUs = 200'000;

  TokenBucket() = default;
  explicit TokenBucket(uint64_t depth_us) : depth_us_(depth_us) {}

  // Bytes that may be sent now, at `rate` bytes a second: 0 while some are
  // owed.
  uint32_t Refill(uint64_t rate, uint64_t now_us) {
    const uint64_t passed_us = std::min(now_us - since_us_, kMostOwedUs);
    since_us_ = now_us;
    const auto depth =
        std::max(static_cast<int64_t>(rate * depth_us_), kLeastDepth * kUnit);
    const auto owed = static_cast<int64_t>(rate * kMostOwedUs);
    credit_ = std::clamp(credit_ + static_cast<int64_t>(rate * passed_us),
                         -owed, depth);
    const int64_t bytes = std::max<int64_t>(credit_, 0) / kUnit;
    return static_cast<uint32_t>(std::min<int64_t>(bytes, UINT32_MAX));
  }
  void Spend(uint64_t bytes) { credit_ -= static_cast<int64_t>(bytes) * kUnit; }

 private:
  // A byte is worth a million: what a rate of one earns in a second.
  static constexpr int64_t kUnit = 1'000'000;

  uint64_t depth_us_ = kDepthUs;
  int64_t credit_ = 0;
  uint64_t since_us_ = 0;
};

}  // namespace lwt::session
