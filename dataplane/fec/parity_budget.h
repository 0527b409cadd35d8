// What a lane may spend on parities where its line is known: the largest rate
// at which it delivered, less what is sent for the first time. So parities take
// what is left of a line and never what somebody inside would use.
//
// The rate comes from sealed reports, so that forged acks buy none. It holds
// for a while after the line was last full; where it never was, nobody knows
// what the line takes, and there is no bound.
//
// One per lane, owned by its worker; nothing is done for a record, only for the
// parities of a group.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace lwt::fec {

class ParityBudget {
 public:
  // How long a full line is remembered, and its rate at least.
  static constexpr uint64_t kMemoryUs = 30'000'000;

  // Sums since the lane began.
  struct Delivery {
    uint64_t records = 0;     // that came in their turn
    uint64_t sent_bytes = 0;  // of the stream, and its records
    uint64_t sent_records = 0;
    uint64_t sent_parities = 0;  // among them
    uint64_t full_us = 0;        // when the line was last full, 0 for never
  };

  void OnReport(const Delivery& now, uint64_t now_us) {
    full_us_ = now.full_us;
    if (now_us - last_us_ < kSampleUs) return;
    if (last_us_ != 0 && now.sent_records > last_.sent_records) {
      Sample(now, now_us - last_us_);
    }
    if (now_us - bucket_us_ >= kMemoryUs) {
      most_[1] = most_[0];
      most_[0] = 0;
      bucket_us_ = now_us;
    }
    last_ = now;
    last_us_ = now_us;
  }

  // Bytes of parities that may leave now, when the stream ends at `sent_bytes`.
  uint64_t Room(uint64_t sent_bytes, uint64_t now_us) {
    const uint64_t rate = Bound(now_us);
    if (!IsBound(now_us)) {
      charged_bytes_ = sent_bytes;
      charged_us_ = now_us;
      backlog_ = 0;
      return UINT64_MAX;
    }
    const uint64_t drained =
        rate * std::min(now_us - charged_us_, kDrainUs) / 1'000'000;
    backlog_ += sent_bytes - charged_bytes_;
    backlog_ -= std::min(backlog_, drained);
    charged_bytes_ = sent_bytes;
    charged_us_ = now_us;
    const uint64_t most = kBurst + rate * kBurstUs / 1'000'000;
    return most - std::min(most, backlog_);
  }

  // Bytes of parities that the line has room for, for each of what is sent for
  // the first time; more than any code asks for where there is no bound.
  double share(uint64_t now_us) const {
    if (!IsBound(now_us)) return kUnbound;
    const auto room = static_cast<double>(Bound(now_us));
    return fresh_rate_ >= room
               ? 0
               : (room - fresh_rate_) / std::max(fresh_rate_, 1.0);
  }

  // Bytes a second; 0 where none is known.
  uint64_t rate() const { return std::max(most_[0], most_[1]); }

 private:
  static constexpr uint64_t kSampleUs = 1'000'000;
  static constexpr uint64_t kDrainUs = 1'000'000;
  // Of the line's rate: with more, parities would fill it themselves, and who
  // sends inside would be slowed down for them.
  static constexpr double kShare = 7.0 / 8;
  // What was delivered is what the line takes only while it is full: so long
  // after that more is tried, up to twice as much for each further time.
  static constexpr uint64_t kHoldUs = 1'000'000;
  static constexpr double kDoubleUs = 2'000'000;
  static constexpr double kMostDoubled = 16;
  // What may stand in the line's queue for parities: two packets, and some
  // time.
  static constexpr uint64_t kBurst = 3000;
  static constexpr uint64_t kBurstUs = 5000;

  static constexpr double kUnbound = 1e9;

  // Of both together, bytes a second.
  uint64_t Bound(uint64_t now_us) const {
    const uint64_t idle_us = now_us - std::min(now_us, full_us_ + kHoldUs);
    const auto doubled = static_cast<double>(idle_us) / kDoubleUs;
    return static_cast<uint64_t>(static_cast<double>(rate()) * kShare *
                                 std::exp2(std::min(doubled, kMostDoubled)));
  }
  bool IsBound(uint64_t now_us) const {
    return rate() != 0 && full_us_ != 0 && now_us - full_us_ <= kMemoryUs;
  }
  void Sample(const Delivery& now, uint64_t elapsed_us) {
    const uint64_t mean = (now.sent_bytes - last_.sent_bytes) /
                          (now.sent_records - last_.sent_records);
    const uint64_t records = now.records - std::min(now.records, last_.records);
    most_[0] = std::max(most_[0], records * mean * 1'000'000 / elapsed_us);
    const uint64_t fresh = now.sent_records - last_.sent_records -
                           (now.sent_parities - last_.sent_parities);
    fresh_rate_ = static_cast<double>(fresh * mean) * 1e6 /
                  static_cast<double>(elapsed_us);
  }

  Delivery last_;
  uint64_t last_us_ = 0;
  uint64_t bucket_us_ = 0;
  std::array<uint64_t, 2> most_{};  // bytes a second, now and before
  double fresh_rate_ = 0;           // bytes a second
  uint64_t full_us_ = 0;
  uint64_t charged_bytes_ = 0;
  uint64_t charged_us_ = 0;
  uint64_t backlog_ = 0;
};

}  // namespace lwt::fec
