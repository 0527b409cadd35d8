#include "dataplane/fec/policy.h"

#include <algorithm>
#include <cmath>

namespace lwt::fec {
namespace {

// Older losses count half.
constexpr double kHalfLifeUs = 2e6;
// A lane that has fewer records to judge by believes the other lanes: of 1 %
// it would see five.
constexpr double kEnoughToKnow = 500;
// Between two steps for loss that stays unrepaired: a round trip and the life
// of the groups under way.
constexpr uint64_t kStepUs = 1'000'000;
// A link that is found to be full is taken for full so long, twice as long each
// time it is found so again, until it was not for a while.
constexpr uint64_t kCongestedUs = 5'000'000;
constexpr uint64_t kLongestCongestedUs = 80'000'000;
constexpr uint64_t kForgetCongestionUs = 120'000'000;
// Meanwhile it goes up by single lines, with time to see what each of them
// does.
constexpr uint64_t kCarefulStepUs = 2'000'000;
// A loss on a full line is told of that much later, at the most.
constexpr uint64_t kSettleUs = 500'000;
// Between two steps for a line that is full, and how long it is not until a
// code of more parities is tried.
constexpr uint64_t kFullStepUs = 2'000'000;
constexpr uint64_t kNotFullUs = 20'000'000;
// Losses in a round trip that who sends inside bears.
constexpr double kFewInTrip = 0.4;
constexpr uint64_t kFewestNumbers = 100;  // in an interval worth comparing
constexpr size_t kFewestIntervals = 8;
// Loss in intervals of high load against that in those of low load.
constexpr double kLoadRatio = 1.3;
constexpr double kLossRatio = 2;
constexpr double kLossDifference = 0.01;
// More load that brings less than this share of itself to the other side does
// not fit; a path that loses by chance carries all but what it loses of any.
constexpr double kLoadRise = 1.15;
constexpr double kCarriedShare = 0.5;
// Mean run of lost records above which losses are bursts. Independent loss of
// 20 % makes runs of 1.25.
constexpr double kBursty = 1.5;

// Shards that a well chosen code may leave unrepaired by chance: more than one
// group's. Those of some time ago count half: what closes with a packet or two
// is left alone by every code (docs/protocol.md#how-much) and must not add up
// to one that sends twice the bytes.
constexpr double kByChance = 8;
constexpr double kChanceHalfLifeUs = 5e6;

// What a code leaves of independent loss: a shard is lost, and so are at least
// m of the other k + m - 1 of its group.
double LeftBy(const Parameters& code, double loss) {
  if (loss >= 1) return 1;
  const int others = code.data + code.parity - 1;
  double repaired = 0;
  double term = std::pow(1 - loss, others);
  for (int lost = 0; lost < code.parity; ++lost) {
    repaired += term;
    term *= loss / (1 - loss) * (others - lost) / (lost + 1);
  }
  return loss * std::max(0.0, 1 - repaired);
}

int KnotFor(double loss) {
  if (loss < Policy::kWorthwhile) return Policy::kOffKnot;
  if (loss < 0.01) return 0;
  if (loss < 0.03) return 1;
  return loss < 0.10 ? 2 : 3;
}

// The strongest line of the table that a line of so much room takes.
int KnotIn(double room) {
  int knot = Policy::kOffKnot;
  for (const Parameters& code : Policy::kTable) {
    if (code.parity > room * code.data) break;
    ++knot;
  }
  return knot;
}

// True when a line of the table leaves more than it should at this loss. That
// of no FEC is only left to what `kWorthwhile` says.
bool IsTooWeak(int knot, double loss) {
  return knot > Policy::kOffKnot &&
         LeftBy(Policy::kTable[static_cast<size_t>(knot)], loss) >
             Policy::kMaxUnrepaired;
}

double Kept(uint64_t elapsed_us) {
  return std::exp2(-static_cast<double>(elapsed_us) / kHalfLifeUs);
}

Feedback Difference(const Feedback& now, const Feedback& before) {
  return {now.numbers - before.numbers,
          now.lost - std::min(now.lost, before.lost),
          now.bursts - std::min(now.bursts, before.bursts),
          now.unrepaired - std::min(now.unrepaired, before.unrepaired),
          now.full_us,
          now.trip_us,
          now.room};
}

}  // namespace

void Policy::OnReport(const Feedback& feedback, uint64_t now_us) {
  if (feedback.numbers < last_.numbers || now_us <= last_us_) return;
  const Feedback delta = Difference(feedback, last_);
  const uint64_t elapsed_us = now_us - last_us_;
  last_ = feedback;
  last_us_ = now_us;
  most_knot_ = KnotIn(feedback.room);
  const bool full = WasFull(delta, elapsed_us, now_us);
  FollowFull(full, now_us);
  if (full) return;
  if (delta.numbers > 0) Estimate(delta, elapsed_us);
  MoveKnot(delta, elapsed_us, now_us);
  ChooseStride();
}

// What the report tells of was sent, at the latest, a round trip before it, and
// its losses came to light some time after.
bool Policy::WasFull(const Feedback& delta, uint64_t elapsed_us,
                     uint64_t now_us) {
  return delta.full_us != 0 && now_us - delta.full_us < elapsed_us + kSettleUs;
}

// The weakest code with which who sends inside hardly sees a loss: each costs a
// part of a round trip.
int Policy::EnoughKnot(uint64_t now_us) const {
  const double in_trip =
      rate_ * static_cast<double>(last_.trip_us) / 1e6 / kFewInTrip;
  const double loss = LossToMeet(now_us);
  if (loss * in_trip <= 1) return kOffKnot;
  int knot = 0;
  while (knot < kKnots - 1 &&
         LeftBy(kTable[static_cast<size_t>(knot)], loss) * in_trip > 1) {
    ++knot;
  }
  return knot;
}

// With a code of more parities, who sends inside fills the line the sooner: one
// of fewer is tried where it is full time and again, as long as that does, and
// one of more where it has not been full for a while.
void Policy::FollowFull(bool full, uint64_t now_us) {
  const int in_use = std::min({knot_, most_knot_, full_knot_});
  const int enough = EnoughKnot(now_us);
  if (full) full_us_ = now_us;
  full_knot_ = std::max(full_knot_, enough);
  if (now_us - full_stepped_us_ < kFullStepUs) return;
  if (full && in_use > enough) {
    full_knot_ = in_use - 1;
    full_stepped_us_ = now_us;
  } else if (!full && now_us - full_us_ >= kNotFullUs &&
             full_knot_ < kKnots - 1) {
    ++full_knot_;
    full_stepped_us_ = now_us;
  }
}

void Policy::OnPeerLoss(double loss, uint64_t now_us) {
  peer_loss_ = loss;
  peer_loss_until_us_ = now_us + kBelievedUs;
  MoveKnot({}, 0, now_us);
  ChooseStride();
}

// The loss that the code is chosen for.
double Policy::LossToMeet(uint64_t now_us) const {
  if (now_us >= peer_loss_until_us_) return loss_;
  const double seen = seen_weight_ * Kept(now_us - last_us_);
  return seen < kEnoughToKnow ? std::max(loss_, peer_loss_) : loss_;
}

void Policy::Estimate(const Feedback& delta, uint64_t elapsed_us) {
  const double keep = Kept(elapsed_us);
  const auto numbers = static_cast<double>(delta.numbers);
  const auto lost = static_cast<double>(delta.lost);
  seen_weight_ = seen_weight_ * keep + numbers;
  lost_weight_ = lost_weight_ * keep + lost;
  bursts_weight_ = bursts_weight_ * keep + static_cast<double>(delta.bursts);
  // What this interval alone makes sure of counts at once.
  const double sure = (lost - 2 * std::sqrt(lost)) / numbers;
  loss_ = std::min(1.0, std::max(lost_weight_ / seen_weight_, sure));
  burst_length_ =
      bursts_weight_ > 0.5 ? std::max(1.0, lost_weight_ / bursts_weight_) : 1;
  rate_ = numbers * 1e6 / static_cast<double>(elapsed_us);
  if (delta.numbers >= kFewestNumbers) {
    CheckCongestion({rate_, lost / numbers}, last_us_);
  }
}

void Policy::CheckCongestion(const Interval& interval, uint64_t now_us) {
  history_[intervals_++ % kIntervals] = interval;
  if (!SeesFullLink()) return;
  if (!congested(now_us)) {
    congested_for_us_ =
        IsCareful(now_us) ? std::min(2 * congested_for_us_, kLongestCongestedUs)
                          : kCongestedUs;
  }
  congested_until_us_ = now_us + congested_for_us_;
}

// The link was full not long ago.
bool Policy::IsCareful(uint64_t now_us) const {
  return congested_until_us_ != 0 &&
         now_us < congested_until_us_ + kForgetCongestionUs;
}

// Compares the half of the intervals that had more load with the other.
bool Policy::SeesFullLink() const {
  const size_t count = std::min(intervals_, kIntervals);
  if (count < kFewestIntervals) return false;
  auto sorted = history_;
  std::sort(
      sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(count),
      [](const Interval& a, const Interval& b) { return a.rate < b.rate; });
  Interval low;
  Interval high;
  for (size_t i = 0; i < count; ++i) {
    Interval& half = i < count / 2 ? low : high;
    const auto size =
        static_cast<double>(i < count / 2 ? count / 2 : count - count / 2);
    half.rate += sorted[i].rate / size;
    half.loss += sorted[i].loss / size;
  }
  if (high.loss <= low.loss + kLossDifference) return false;
  const double rise = high.rate / low.rate;
  const double carried = rise * (1 - high.loss) / std::max(1 - low.loss, 1e-3);
  return (rise > kLoadRatio &&
          high.loss > kLossRatio * low.loss + kLossDifference) ||
         (rise > kLoadRise && carried - 1 < kCarriedShare * (rise - 1));
}

// Sums up what stays unrepaired beyond the share that may. A code that should
// do for the loss fails by chance too: it takes more than one group for that to
// count. What comes to light just after a step was left by the code before.
bool Policy::IsFailing(const Feedback& delta, uint64_t elapsed_us,
                       uint64_t now_us) {
  if (most_knot_ <= knot_) return false;  // no code has room to be better
  if (now_us - stepped_us_ < kStepUs) {
    excess_ = 0;
    return delta.unrepaired > 0;
  }
  excess_ *= std::exp2(-static_cast<double>(elapsed_us) / kChanceHalfLifeUs);
  excess_ += static_cast<double>(delta.unrepaired) -
             kMaxUnrepaired * static_cast<double>(delta.numbers);
  excess_ = std::max(excess_, 0.0);
  return delta.unrepaired > 0 &&
         excess_ > (IsTooWeak(knot_, LossToMeet(now_us)) ? 0.0 : kByChance);
}

void Policy::MoveKnot(const Feedback& delta, uint64_t elapsed_us,
                      uint64_t now_us) {
  const double loss = LossToMeet(now_us);
  const int wanted = KnotFor(loss);
  const bool failing = IsFailing(delta, elapsed_us, now_us);
  const bool may_step = now_us - stepped_us_ >= kStepUs;
  if (congested(now_us)) {
    better_since_us_ = now_us;
    if (knot_ > kOffKnot && may_step) {
      --knot_;
      stepped_us_ = now_us;
    }
    return;
  }
  const bool careful = IsCareful(now_us);
  if (wanted > knot_ && (!careful || now_us - stepped_us_ >= kCarefulStepUs)) {
    knot_ = careful ? knot_ + 1 : wanted;
    stepped_us_ = now_us;
    excess_ = 0;
  } else if (failing && knot_ > kOffKnot && may_step) {
    knot_ = std::min(knot_ + 1, kKnots - 1);
    stepped_us_ = now_us;
    excess_ = 0;
  }
  if (failing || wanted >= knot_ || IsTooWeak(knot_ - 1, loss)) {
    better_since_us_ = now_us;
  } else if (now_us - better_since_us_ >= kPatienceUs) {
    --knot_;
    better_since_us_ = now_us;
  }
}

// A burst is spread so that each group loses half of its parities at most, as
// far as a block fills within the time that a repair may wait.
void Policy::ChooseStride() {
  stride_ = 1;
  const Parameters code = parameters();
  if (!code.on() || burst_length_ < kBursty) return;
  const double wanted = std::ceil(2 * burst_length_ / code.parity);
  const double in_time =
      rate_ * static_cast<double>(settings_.interleave_us) / 1e6 / code.data;
  stride_ = static_cast<uint8_t>(
      std::clamp(std::min(wanted, in_time), 1.0, double{kMaxStride}));
}

Parameters Policy::parameters() const {
  Parameters code;
  if (settings_.mode == Mode::kFixed) {
    code = settings_.fixed;
  } else if (settings_.mode == Mode::kAuto) {
    const int knot = std::min({knot_, most_knot_, full_knot_});
    if (knot > kOffKnot) code = kTable[static_cast<size_t>(knot)];
  }
  code.stride = stride_;
  return code;
}

}  // namespace lwt::fec
