// Whether a flow's line is full, by the round trips of what it carries: a queue
// stands on the way where they stay above the shortest one.
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
    if (samples_ < kSamples) ++samples_;
    if (samples_ == kSamples && now_us - since_us_ >= least_us_) Judge(now_us);
  }

  bool full() const { return full_; }
  // When it was last seen full, 0 for never.
  uint64_t full_until_us(uint64_t now_us) const {
    return full_ ? now_us : full_us_;
  }
  // The shortest round trip; 0 before the first.
  uint32_t floor_us() const { return floor_us_ == kNone ? 0 : floor_us_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kMostStepUs = 1'000'000;

  void RenewFloor(uint64_t now_us) {
    floor_us_ = next_floor_us_;
    next_floor_us_ = kNone;
    floor_until_us_ = now_us + kFloorUs;
  }
  void Judge(uint64_t now_us) {
    samples_ = 0;
    if (!loaded_) {
      floor_us_ = std::max(floor_us_, least_us_);
      if (full_) full_us_ = now_us;
      full_ = false;
      return;
    }
    const uint32_t queue_us = least_us_ - std::min(least_us_, floor_us_);
    const uint32_t much_us =
        std::max({kLeastQueueUs, floor_us_ / 8, jitter_16_us_ / 8});
    if (queue_us > much_us) full_ = true;
    if (full_) full_us_ = now_us;
    if (queue_us <= much_us / 2) full_ = false;
  }

  uint64_t floor_until_us_ = 0;
  uint64_t full_us_ = 0;
  uint64_t since_us_ = 0;  // of the samples under way
  uint32_t floor_us_ = kNone;
  uint32_t next_floor_us_ = kNone;
  uint32_t last_us_ = 0;
  uint32_t jitter_16_us_ = 0;  // 16 times the mean step between two samples
  uint32_t least_us_ = 0;
  uint8_t samples_ = 0;
  bool loaded_ = false;
  bool full_ = false;
};

}  // namespace lwt
