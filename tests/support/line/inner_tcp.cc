#include "tests/support/line/inner_tcp.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace lwt::testing {
namespace {

constexpr uint64_t kNever = UINT64_MAX;
constexpr uint64_t kDelayedAckUs = 40'000;
constexpr uint64_t kMinRtoUs = 200'000;
constexpr double kBeta = 0.7;
constexpr double kCubic = 0.4;
constexpr double kLeastWindow = 2;

}  // namespace

// True where the number is new.
bool TcpReceiver::Insert(uint64_t number) {
  if (number < next_) return false;
  auto after = ranges_.upper_bound(number);
  if (after != ranges_.begin()) {
    const auto before = std::prev(after);
    if (number < before->second) return false;
    if (number == before->second) {
      ++before->second;
      if (after != ranges_.end() && after->first == before->second) {
        before->second = after->second;
        ranges_.erase(after);
      }
      return true;
    }
  }
  uint64_t end = number + 1;
  if (after != ranges_.end() && after->first == end) {
    end = after->second;
    ranges_.erase(after);
  }
  ranges_[number] = end;
  return true;
}

TcpAck TcpReceiver::MakeAck() {
  TcpAck ack;
  ack.next = next_;
  ack.echo_us = echo_us_;
  ack.duplicate = duplicate_;
  ack.marked = marked_;
  // The range of the newest first, then the highest.
  for (auto at = ranges_.rbegin();
       at != ranges_.rend() && ack.ranges.size() < kRanges; ++at) {
    ack.ranges.emplace_back(at->first, at->second);
  }
  auto own = ranges_.upper_bound(newest_);
  if (own != ranges_.begin()) {
    --own;
    if (newest_ < own->second) ack.ranges.emplace_back(*own);
  }
  duplicate_.reset();
  marked_ = false;
  owed_ = 0;
  ack_at_us_ = kNever;
  return ack;
}

std::optional<TcpAck> TcpReceiver::Take(const TcpSegment& segment,
                                        uint64_t now_us) {
  if (segment.marked) marked_ = true;
  newest_ = segment.number;
  if (!Insert(segment.number)) {
    duplicate_ = segment.number;
    return MakeAck();
  }
  const auto first = ranges_.begin();
  if (first->first != next_) return MakeAck();
  // RFC 7323 §4.3: of the segment that moved the left edge.
  echo_us_ = segment.stamp_us;
  const bool filled = first->second != next_ + 1 || ranges_.size() > 1;
  next_ = first->second;
  ranges_.erase(first);
  ++owed_;
  if (quick_ > 0) --quick_;
  if (filled || owed_ >= 2 || quick_ > 0 || marked_) return MakeAck();
  if (ack_at_us_ == kNever) ack_at_us_ = now_us + kDelayedAckUs;
  return std::nullopt;
}

std::optional<TcpAck> TcpReceiver::OnTimer(uint64_t now_us) {
  if (now_us < ack_at_us_) return std::nullopt;
  return MakeAck();
}

void CubicSender::Unpipe(const Sent& sent) {
  if (sent.repaired) {
    pipe_ -= 1;
    --repairs_out_;
  }
  if (sent.lost) {
    if (!sent.repaired) --lost_to_send_;
  } else {
    pipe_ -= 1;
  }
}

// The receiver has the segment.
void CubicSender::Deliver(uint64_t number, uint64_t now_us) {
  Sent& sent = At(number);
  Unpipe(sent);
  if (!sent.ever_repaired && number < highest_sacked_) reordering_ = true;
  // RFC 8985 §6.2: of what was sent again, an answer sooner than a round trip
  // is to an earlier copy.
  if (!sent.ever_repaired || now_us - sent.sent_us >= min_rtt_us_) {
    if (sent.sent_us >= rack_us_) {
      rack_us_ = sent.sent_us;
      rack_rtt_us_ = now_us - sent.sent_us;
    }
  }
  sent.sacked = true;
  sent.lost = sent.repaired = false;
  highest_sacked_ = std::max(highest_sacked_, number);
}

void CubicSender::MarkLost(Sent& sent) {
  if (sent.repaired) {
    // The repair itself is lost.
    sent.repaired = false;
    --repairs_out_;
    pipe_ -= 1;
    ++lost_to_send_;
  } else if (!sent.lost) {
    sent.lost = true;
    pipe_ -= 1;
    ++lost_to_send_;
  }
}

void CubicSender::DetectLosses(uint64_t now_us) {
  rack_at_us_ = kNever;
  if (sacked_ == 0 && state_ == State::kOpen) return;
  // RFC 8985 §6.2 step 4.
  const bool waits = reordering_ || (sacked_ < 3 && state_ == State::kOpen);
  const uint64_t window = waits ? min_rtt_us_ / 4 : 0;
  bool lost = false;
  for (uint64_t i = 0; i < sent_.size(); ++i) {
    Sent& sent = sent_[i];
    if (una_ + i > highest_sacked_ && !sent.repaired) break;
    if (sent.sacked || (sent.lost && !sent.repaired)) continue;
    if (sent.sent_us >= rack_us_) continue;
    const uint64_t due = sent.sent_us + rack_rtt_us_ + window;
    if (due > now_us) {
      rack_at_us_ = std::min(rack_at_us_, due);
      continue;
    }
    MarkLost(sent);
    lost = true;
  }
  if (lost && state_ == State::kOpen) EnterRecovery();
}

void CubicSender::Reduce() {
  ++reductions_;
  prior_window_ = window_;
  prior_threshold_ = threshold_;
  // Fast convergence, RFC 9438 §4.7.
  most_ = window_ < most_ ? window_ * (1 + kBeta) / 2 : window_;
  epoch_us_ = 0;
  threshold_ = std::max(window_ * kBeta, kLeastWindow);
}

void CubicSender::EnterRecovery() {
  Reduce();
  state_ = State::kRecovery;
  recovery_end_ = NextNumber();
  may_undo_ = true;
  undo_repairs_ = 0;
  repair_stamp_us_ = 0;
  prr_delivered_ = 0;
  prr_out_ = 0;
  prr_prior_ = std::max(window_, 1.0);
}

void CubicSender::Undo() {
  ++undone_;
  window_ = std::max(window_, prior_window_);
  threshold_ = std::max(threshold_, prior_threshold_);
  may_undo_ = false;
  for (Sent& sent : sent_) {
    if (sent.lost && !sent.repaired) {
      sent.lost = false;
      pipe_ += 1;
      --lost_to_send_;
    }
  }
}

void CubicSender::TryUndo(const TcpAck& ack, bool advanced) {
  if (!may_undo_) return;
  const bool delayed = options_.timestamps && advanced &&
                       repair_stamp_us_ != 0 && ack.echo_us < repair_stamp_us_;
  const bool in_vain = undo_repairs_ == 0 && repair_stamp_us_ != 0;
  const bool over = una_ >= recovery_end_;
  const bool undo =
      in_vain ||
      (delayed && (over || repairs_out_ == 0 || state_ == State::kLoss));
  if (undo) {
    Undo();
    if (state_ != State::kOpen) state_ = State::kOpen;
  }
}

void CubicSender::Measure(uint64_t rtt_us) {
  if (srtt_us_ == 0) {
    srtt_us_ = rtt_us;
    rttvar_us_ = rtt_us / 2;
  } else {
    const uint64_t distance =
        rtt_us > srtt_us_ ? rtt_us - srtt_us_ : srtt_us_ - rtt_us;
    rttvar_us_ = rttvar_us_ - rttvar_us_ / 4 + distance / 4;
    srtt_us_ = srtt_us_ - srtt_us_ / 8 + rtt_us / 8;
  }
  min_rtt_us_ = std::min(min_rtt_us_, rtt_us);
  rto_us_ = srtt_us_ + std::max(4 * rttvar_us_, kMinRtoUs);
}

void CubicSender::HyStart(uint64_t rtt_us) {
  if (window_ >= threshold_) return;
  if (una_ >= round_end_) {
    round_end_ = NextNumber();
    round_before_us_ = round_least_us_;
    round_least_us_ = kNever;
    round_samples_ = 0;
  }
  round_least_us_ = std::min(round_least_us_, rtt_us);
  if (++round_samples_ < 8 || round_before_us_ == kNever || window_ < 16) {
    return;
  }
  const uint64_t step = std::clamp<uint64_t>(round_before_us_ / 8, 4000, 16000);
  if (round_least_us_ >= round_before_us_ + step) threshold_ = window_;
}

void CubicSender::GrowCubic(double delivered, uint64_t now_us) {
  if (epoch_us_ == 0) {
    epoch_us_ = now_us;
    friendly_ = window_;
    if (most_ <= window_) {
      k_s_ = 0;
      origin_ = window_;
    } else {
      k_s_ = std::cbrt((most_ - window_) / kCubic);
      origin_ = most_;
    }
  }
  const double t =
      static_cast<double>(now_us - epoch_us_ + min_rtt_us_) / 1e6 - k_s_;
  const double target =
      std::clamp(origin_ + kCubic * t * t * t, window_, 1.5 * window_);
  // RFC 9438 §4.3.
  friendly_ += 3 * (1 - kBeta) / (1 + kBeta) * delivered / window_;
  window_ += delivered * (target - window_) / window_;
  window_ = std::max(window_, friendly_);
}

void CubicSender::Grow(uint64_t delivered, uint64_t now_us) {
  // Only a window that was in use a round trip ago grows.
  if (una_ > limited_until_) return;
  if (window_ < threshold_) {
    window_ = std::min(window_ + static_cast<double>(delivered),
                       std::max(threshold_, window_));
  } else {
    GrowCubic(static_cast<double>(delivered), now_us);
  }
  window_ = std::min(window_, static_cast<double>(options_.most));
}

void CubicSender::ReduceProportionally(uint64_t delivered) {
  prr_delivered_ += static_cast<double>(delivered);
  double room;
  if (pipe_ > threshold_) {
    room = std::ceil(prr_delivered_ * threshold_ / prr_prior_) - prr_out_;
  } else {
    room = std::min(
        threshold_ - pipe_,
        std::max(prr_delivered_ - prr_out_, static_cast<double>(delivered)) +
            1);
  }
  if (prr_out_ == 0) room = std::max(room, 1.0);
  window_ = pipe_ + std::max(room, 0.0);
}

void CubicSender::OnAck(const TcpAck& ack, uint64_t now_us) {
  uint64_t delivered = 0;
  bool fresh = false;
  uint64_t fresh_us = 0;
  const bool advanced = ack.next > una_;
  for (const auto& [begin, end] : ack.ranges) {
    for (uint64_t i = std::max(begin, una_); i < end; ++i) {
      Sent& sent = At(i);
      if (sent.sacked) continue;
      if (!sent.ever_repaired) {
        fresh = true;
        fresh_us = std::max(fresh_us, sent.sent_us);
      }
      Deliver(i, now_us);
      ++sacked_;
      ++delivered;
    }
  }
  while (una_ < ack.next) {
    Sent& sent = sent_.front();
    if (!sent.sacked) {
      if (!sent.ever_repaired) {
        fresh = true;
        fresh_us = std::max(fresh_us, sent.sent_us);
      }
      Deliver(una_, now_us);
      ++delivered;
    } else {
      --sacked_;
    }
    sent_.pop_front();
    ++una_;
  }
  if (fresh) {
    Measure(now_us - fresh_us);
    HyStart(now_us - fresh_us);
  }
  if (ack.duplicate) {
    reordering_ = true;
    if (may_undo_ && undo_repairs_ > 0) --undo_repairs_;
  }
  if (advanced) backoff_ = 0;
  if (advanced || ack.duplicate) TryUndo(ack, advanced);
  if (state_ != State::kOpen && una_ >= recovery_end_) {
    if (state_ == State::kRecovery) window_ = threshold_;
    state_ = State::kOpen;
  }
  if (options_.ecn && ack.marked && state_ == State::kOpen &&
      una_ >= marked_until_) {
    Reduce();
    window_ = threshold_;
    may_undo_ = false;
    marked_until_ = NextNumber();
  }
  DetectLosses(now_us);
  if (state_ == State::kRecovery) {
    ReduceProportionally(delivered);
  } else if (delivered > 0) {
    Grow(delivered, now_us);
  }
  Rearm(now_us);
}

void CubicSender::Rearm(uint64_t now_us) {
  if (sent_.empty()) {
    rto_at_us_ = probe_at_us_ = kNever;
    return;
  }
  rto_at_us_ = now_us + (rto_us_ << std::min(backoff_, 6u));
  probe_at_us_ = state_ == State::kOpen && srtt_us_ != 0 && backoff_ == 0
                     ? now_us + 2 * srtt_us_ + kDelayedAckUs
                     : kNever;
}

void CubicSender::OnTimer(uint64_t now_us) {
  if (rack_at_us_ <= now_us) DetectLosses(now_us);
  if (probe_at_us_ <= now_us) {
    probe_at_us_ = kNever;
    probe_now_ = true;
  }
  if (rto_at_us_ > now_us) return;
  ++timeouts_;
  if (state_ != State::kLoss) {
    Reduce();
    may_undo_ = true;
    undo_repairs_ = 0;
    repair_stamp_us_ = 0;
  }
  state_ = State::kLoss;
  recovery_end_ = NextNumber();
  for (Sent& sent : sent_) {
    if (!sent.sacked) MarkLost(sent);
  }
  window_ = 1;
  ++backoff_;
  Rearm(now_us);
}

uint64_t CubicSender::NextDeadline() const {
  if (probe_now_) return 0;
  return std::min({rack_at_us_, rto_at_us_, probe_at_us_});
}

std::optional<TcpSegment> CubicSender::Next(uint64_t now_us) {
  const bool probe = std::exchange(probe_now_, false);
  if (pipe_ + 1 > window_ && !probe) {
    limited_until_ = NextNumber();
    return std::nullopt;
  }
  prr_out_ += 1;
  if (lost_to_send_ > 0) {
    for (uint64_t i = 0; i < sent_.size(); ++i) {
      Sent& sent = sent_[i];
      if (!sent.lost || sent.repaired || sent.sacked) continue;
      sent.repaired = sent.ever_repaired = true;
      sent.sent_us = now_us;
      --lost_to_send_;
      ++repairs_out_;
      ++undo_repairs_;
      ++repairs_;
      pipe_ += 1;
      if (repair_stamp_us_ == 0) repair_stamp_us_ = now_us;
      return TcpSegment{una_ + i, now_us, false};
    }
  }
  // A probe of what is new, where there may be more (RFC 8985 §7.3).
  sent_.push_back({.sent_us = now_us});
  pipe_ += 1;
  if (rto_at_us_ == kNever) Rearm(now_us);
  return TcpSegment{NextNumber() - 1, now_us, false};
}

}  // namespace lwt::testing
