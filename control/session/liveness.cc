#include "control/session/liveness.h"

#include <utility>

namespace lwt::peer {

Liveness::Liveness(RandomSource random, uint64_t now_us, WhenIdle when_idle)
    : random_(random), when_idle_(when_idle) {
  Restart(now_us);
}

void Liveness::Restart(uint64_t now_us) {
  state_ = State::kAlive;
  awaiting_since_ = 0;
  await_limit_us_ = RandomBetween(random_, kAwaitLowUs, kAwaitHighUs);
  idle_probe_at_ =
      when_idle_ == WhenIdle::kLeave
          ? UINT64_MAX
          : now_us + RandomBetween(random_, kIdleLowUs, kIdleHighUs);
  unanswered_ = 0;
  next_probe_at_ = 0;
  suspect_since_ = 0;
}

void Liveness::Hint(uint64_t now_us) {
  needs_answer_ = true;
  answered_ = false;
  if (unanswered_ == 0) next_probe_at_ = now_us;
}

void Liveness::OnReset(uint64_t now_us) {
  if (reset_at_us_ != 0 && now_us - reset_at_us_ < kResetEveryUs) return;
  reset_at_us_ = now_us;
  Hint(now_us);
}

bool Liveness::Tick(const LaneReading& reading, uint64_t now_us) {
  // An answer has to be there before the next probe, which it would not match.
  if (reading.srtt_us != 0 &&
      (least_srtt_us_ == 0 || reading.srtt_us < least_srtt_us_)) {
    least_srtt_us_ = reading.srtt_us;
  }
  spacing_us_ = std::clamp(reading.srtt_us + reading.srtt_us / 2, kUrgentUs,
                           std::max(kLongestUrgentUs, OwnPace()));
  if (std::exchange(answered_, false)) needs_answer_ = false;
  if (reading.last_rx_us != seen_rx_us_ && !needs_answer_) {
    seen_rx_us_ = reading.last_rx_us;
    Restart(now_us);
  }
  if (awaiting_since_ == 0 && reading.last_data_tx_us > reading.last_rx_us) {
    awaiting_since_ = now_us;
  }
  if (next_probe_at_ == 0) {
    bool unanswered_data =
        awaiting_since_ != 0 &&
        now_us >= awaiting_since_ + std::max(await_limit_us_, OwnPace());
    if (unanswered_data || now_us >= idle_probe_at_) next_probe_at_ = now_us;
  }
  return TickProbing(now_us);
}

bool Liveness::TickProbing(uint64_t now_us) {
  if (state_ == State::kSuspect &&
      now_us >= suspect_since_ + std::max(kDeadAfterUs, 2 * OwnPace())) {
    state_ = State::kDead;
  }
  if (next_probe_at_ == 0 || now_us < next_probe_at_) return false;
  if (unanswered_ == kUrgentProbes && state_ == State::kAlive) {
    state_ = State::kSuspect;
    suspect_since_ = now_us;
  }
  ++unanswered_;
  next_probe_at_ =
      now_us + (unanswered_ <= kUrgentProbes
                    ? spacing_us_
                    : std::max(spacing_us_, RandomBetween(random_, kAwaitLowUs,
                                                          kAwaitHighUs)));
  return true;
}

}  // namespace lwt::peer
