// Whether the path below a lane still works: when to probe it, when to suspect
// it, when to give it up.
//
// Sans-IO, one object a lane, fed with the worker's readings by a tick.
// Idle: a probe every 20 to 26 s. Inner traffic that nothing verified answers
// for 2 to 2.5 s, or a hint: three probes within a second, or a round trip and
// a half each where that is longer, 2 s at most: a round trip that somebody
// made long is not to keep a dead path. Without an answer to these the path is
// suspect (build another one beside it), and dead 5 s later; so a path in use
// is given up within 10 s of its death. Where the shortest round trip that was
// ever seen is longer than that allows for, all waits are a round trip and a
// half of these at least.
//
// Any record that verifies is a sign of life, but not after a hint: what comes
// says nothing of what goes, and a hint may be that nothing of ours is
// acknowledged. Then only the answer to a probe counts.
//
// A hub watches whole sessions by it, and asks nothing of an idle one: the
// client does, and one side's probes are enough for both.
#pragma once

#include <algorithm>
#include <cstdint>

#include "control/session/random.h"
#include "control/workers/worker_link.h"

namespace lwt::peer {

class Liveness {
 public:
  enum class State : uint8_t { kAlive, kSuspect, kDead };

  static constexpr uint64_t kIdleLowUs = 20'000'000;
  static constexpr uint64_t kIdleHighUs = 26'000'000;
  static constexpr uint64_t kAwaitLowUs = 2'000'000;
  static constexpr uint64_t kAwaitHighUs = 2'500'000;
  static constexpr uint64_t kUrgentUs = 350'000;
  static constexpr uint64_t kLongestUrgentUs = 2'000'000;
  static constexpr uint32_t kUrgentProbes = 3;
  static constexpr uint64_t kDeadAfterUs = 5'000'000;

  enum class WhenIdle : uint8_t { kProbe, kLeave };

  Liveness(RandomSource random, uint64_t now_us,
           WhenIdle when_idle = WhenIdle::kProbe);

  // True when a probe is to be sent now.
  bool Tick(const LaneReading& reading, uint64_t now_us);
  // Nothing acknowledged for long, a change of the host: probe at once.
  void Hint(uint64_t now_us);
  // A RST: the same, but at most once in kResetEveryUs, for anybody who sees
  // the flow can send it.
  static constexpr uint64_t kResetEveryUs = 10'000'000;
  void OnReset(uint64_t now_us);
  // A probe was answered: the path works both ways.
  void OnAnswer() { answered_ = true; }

  State state() const { return state_; }
  // Inner traffic has waited too long for an answer, and none has come since.
  bool in_doubt() const {
    return state_ != State::kAlive ||
           (awaiting_since_ != 0 && next_probe_at_ != 0);
  }
  // Inner traffic waits for an answer, or the path is suspect.
  bool waits() const {
    return state_ != State::kDead &&
           (awaiting_since_ != 0 || state_ == State::kSuspect);
  }
  // When to tick next: readings change in between, so at least every kTickUs.
  static constexpr uint64_t kTickUs = 250'000;
  uint64_t NextTick(uint64_t now_us) const {
    uint64_t next = now_us + kTickUs;
    return next_probe_at_ > now_us ? std::min(next, next_probe_at_) : next;
  }

 private:
  void Restart(uint64_t now_us);
  bool TickProbing(uint64_t now_us);
  // A round trip and a half of the shortest.
  uint64_t OwnPace() const { return least_srtt_us_ + least_srtt_us_ / 2; }

  RandomSource random_;
  WhenIdle when_idle_;
  State state_ = State::kAlive;
  uint64_t seen_rx_us_ = 0;      // last_rx_us of the newest reading
  uint64_t awaiting_since_ = 0;  // 0: nothing awaits an answer
  uint64_t await_limit_us_ = 0;
  uint64_t idle_probe_at_ = 0;
  bool needs_answer_ = false;  // since a hint
  bool answered_ = false;      // since the last tick
  uint64_t spacing_us_ = kUrgentUs;
  uint64_t least_srtt_us_ = 0;  // 0: none was seen
  uint32_t unanswered_ = 0;     // probes since the last verified record
  uint64_t next_probe_at_ = 0;  // while probing
  uint64_t suspect_since_ = 0;
  uint64_t reset_at_us_ = 0;  // that counted; 0: never
};

}  // namespace lwt::peer
