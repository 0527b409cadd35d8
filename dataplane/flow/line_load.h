// Whether a flow's line is full, by the round trips of what it carries: a queue
// stands on the way where they stay above the shortest one; and one that holds
// little ran over where what came through behind a loss took about as long as
// anything does, and where that is so of losses more often than of all. What
// comes behind a loss by chance has waited no longer than others.
//
// Nothing of what is new waits for this or is dropped by it: it bounds what is
// sent again and what is sent beside (docs/decisions/0005). Round trips come by
// acks, which prove nothing; who forges them can make a line look full, and has
// then less sent on it.
//
// A plain record of its flow; a sample costs a few comparisons.
#pragma once

#include <algorithm>
#include <cstdint>

namespace lwt {

class LineLoad {
 public:
  // Samples that the least is taken of, so that a late ack or a jittery hop is
  // no queue.
  static constexpr uint8_t kSamples = 8;
  // A queue of less is not told from chance.
  static constexpr uint32_t kLeastQueueUs = 1000;
  // A shortest round trip is believed so long, twice: a way that has become
  // longer for good looks like a queue until then.
  static constexpr uint64_t kFloorUs = 30'000'000;
  // And the longest so long, twice.
  static constexpr uint64_t kTopUs = 10'000'000;

  // `loaded`: so much is in flight that a queue may be of our making. Other
  // samples only raise the shortest round trip.
  void OnRoundTrip(uint32_t rtt_us, bool loaded, uint64_t now_us) {
    if (rtt_us < floor_us_) floor_us_ = rtt_us;
    if (rtt_us < next_floor_us_) next_floor_us_ = rtt_us;
    if (now_us >= floor_until_us_) [[unlikely]]
      RenewFloor(now_us);
    const auto step = static_cast<int32_t>(rtt_us - last_us_);
    const auto size = static_cast<uint32_t>(step < 0 ? -step : step);
    last_us_ = rtt_us;
    jitter_16_us_ += std::min(size, kMostStepUs) - jitter_16_us_ / 16;
    if (loaded != loaded_) {
      loaded_ = loaded;
      samples_ = 0;
    }
    if (samples_ == 0) {
      least_us_ = rtt_us;
      since_us_ = now_us;
    }
    least_us_ = std::min(least_us_, rtt_us);
    peak_us_ = std::max(peak_us_, rtt_us);
    Count(top_share_, rtt_us >= high_us_, kSamplesShift);
    if (samples_ < kSamples) ++samples_;
    if (samples_ == kSamples && now_us - since_us_ >= least_us_) Judge(now_us);
  }

  // What has come through, after so long, is the first behind something that is
  // missing. Follows OnRoundTrip of the same. Full until a round trip shows
  // that it is no more.
  void OnHole(uint32_t rtt_us, uint64_t now_us) {
    const bool high = loaded_ && rtt_us >= high_us_ &&
                      rtt_us - std::min(rtt_us, floor_us_) > LeastQueue();
    Count(hole_share_, high, kHolesShift);
    if (!high || hole_share_ < kFewHoles || hole_share_ < 3 * top_share_) {
      return;
    }
    ran_over_ = true;
    full_us_ = now_us;
    samples_ = 0;
  }

  bool full() const { return stands_ || ran_over_; }
  // The queue stands, so what is late will be later still.
  bool stands() const { return stands_; }
  // When it was last seen full, 0 for never.
  uint64_t full_until_us(uint64_t now_us) const {
    return full() ? now_us : full_us_;
  }
  // The shortest round trip; 0 before the first.
  uint32_t floor_us() const { return floor_us_ == kNone ? 0 : floor_us_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kMostStepUs = 1'000'000;
  // Shares of samples and of holes, in 65536, over about so many of them.
  static constexpr int kSamplesShift = 8;
  static constexpr int kHolesShift = 4;
  static constexpr int32_t kFewHoles = 65536 / 8;

  static void Count(int32_t& share, bool hit, int shift) {
    share += ((hit ? 65536 : 0) - share) >> shift;
  }

  uint32_t LeastQueue() const {
    return std::max({kLeastQueueUs, floor_us_ / 8, jitter_16_us_ / 8});
  }
  void RenewTop(uint64_t now_us) {
    if (now_us >= top_until_us_) {
      top_us_ = next_top_us_;
      next_top_us_ = 0;
      top_until_us_ = now_us + kTopUs;
    }
    next_top_us_ = std::max(next_top_us_, peak_us_);
    peak_us_ = 0;
    // Three quarters of the longest queue.
    const uint32_t top_us = std::max(top_us_, next_top_us_);
    high_us_ = top_us - (top_us - std::min(top_us, floor_us_)) / 4;
  }

  void RenewFloor(uint64_t now_us) {
    floor_us_ = next_floor_us_;
    next_floor_us_ = kNone;
    floor_until_us_ = now_us + kFloorUs;
  }
  void Judge(uint64_t now_us) {
    samples_ = 0;
    RenewTop(now_us);
    if (!loaded_) {
      floor_us_ = std::max(floor_us_, least_us_);
      if (full()) full_us_ = now_us;
      stands_ = ran_over_ = false;
      return;
    }
    const uint32_t queue_us = least_us_ - std::min(least_us_, floor_us_);
    const uint32_t much_us = LeastQueue();
    if (queue_us > much_us) stands_ = true;
    if (full()) full_us_ = now_us;
    if (queue_us <= much_us / 2) stands_ = false;
    ran_over_ = false;
  }

  uint64_t floor_until_us_ = 0;
  uint64_t top_until_us_ = 0;
  uint64_t full_us_ = 0;
  uint64_t since_us_ = 0;  // of the samples under way
  uint32_t floor_us_ = kNone;
  uint32_t next_floor_us_ = kNone;
  uint32_t last_us_ = 0;
  uint32_t jitter_16_us_ = 0;  // 16 times the mean step between two samples
  uint32_t least_us_ = 0;
  uint32_t peak_us_ = 0;  // of the samples under way
  uint32_t top_us_ = 0;
  uint32_t next_top_us_ = 0;
  uint32_t high_us_ = kNone;  // what takes longer stood in nearly a full queue
  int32_t top_share_ = 0;
  int32_t hole_share_ = 0;
  uint8_t samples_ = 0;
  bool loaded_ = false;
  bool stands_ = false;
  bool ran_over_ = false;
};

}  // namespace lwt
