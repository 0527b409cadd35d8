#include "tests/support/line/inner_tcp.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <optional>
#include <utility>

namespace lwt::testing {
namespace {

// Both ends with nothing but a delay between them.
class InnerTcpTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kDelayUs = 20'000;

  void RunTo(uint64_t end_us) {
    for (; now_us_ < end_us; now_us_ += 1000) {
      while (!segments_.empty() && segments_.front().first <= now_us_) {
        Answer(receiver_.Take(segments_.front().second, now_us_));
        segments_.pop_front();
      }
      Answer(receiver_.OnTimer(now_us_));
      while (!acks_.empty() && acks_.front().first <= now_us_) {
        sender_.OnAck(acks_.front().second, now_us_);
        acks_.pop_front();
      }
      sender_.OnTimer(now_us_);
      while (const auto segment = sender_.Next(now_us_)) {
        if (lost_(*segment)) continue;
        segments_.emplace_back(now_us_ + kDelayUs, *segment);
      }
    }
  }
  void Answer(const std::optional<TcpAck>& ack) {
    if (ack) acks_.emplace_back(now_us_ + kDelayUs, *ack);
  }

  CubicSender sender_{{.most = 100}};
  TcpReceiver receiver_;
  std::function<bool(const TcpSegment&)> lost_ = [](const auto&) {
    return false;
  };
  std::deque<std::pair<uint64_t, TcpSegment>> segments_;
  std::deque<std::pair<uint64_t, TcpAck>> acks_;
  TcpSegment late_;
  uint64_t now_us_ = 1'000'000;
};

TEST_F(InnerTcpTest, SendsAWindowInARoundTrip) {
  RunTo(now_us_ + 2'000'000);
  const uint64_t before = receiver_.next();
  RunTo(now_us_ + 1'000'000);
  // Ticks of a millisecond lengthen the round trip of 40 by two at most.
  EXPECT_GE(receiver_.next() - before, 100u * 1000 / 43);
  EXPECT_EQ(sender_.repairs(), 0u);
}

TEST_F(InnerTcpTest, ALossIsRepairedAndHalvesNearlyTheWindow) {
  bool once = true;
  lost_ = [&](const TcpSegment& segment) {
    return segment.number == 2000 && std::exchange(once, false);
  };
  RunTo(now_us_ + 3'000'000);
  EXPECT_EQ(sender_.repairs(), 1u);
  EXPECT_EQ(sender_.reductions(), 1u);
  EXPECT_EQ(sender_.undone(), 0u);
  EXPECT_GT(receiver_.next(), 2001u);
}

// As a tunnel repairs: the segment itself comes a round trip late.
TEST_F(InnerTcpTest, ASegmentThatCameAfterAllIsUndone) {
  bool once = true;
  lost_ = [&](const TcpSegment& segment) {
    if (segment.number != 2000 || !std::exchange(once, false)) return false;
    late_ = segment;
    return true;
  };
  while (once) RunTo(now_us_ + 1000);
  while (sender_.reductions() == 0) RunTo(now_us_ + 1000);
  segments_.emplace_front(now_us_, late_);
  RunTo(now_us_ + 1'000'000);
  EXPECT_EQ(sender_.reductions(), 1u);
  EXPECT_EQ(sender_.undone(), 1u);
}

TEST_F(InnerTcpTest, AWindowThatIsLostWholeIsRepairedByATimeout) {
  lost_ = [&](const TcpSegment& segment) {
    return now_us_ > 2'000'000 && now_us_ < 2'500'000;
  };
  RunTo(now_us_ + 1'600'000);
  EXPECT_GE(sender_.timeouts(), 1u);
  const uint64_t before = receiver_.next();
  RunTo(now_us_ + 2'000'000);
  EXPECT_GT(receiver_.next(), before + 1000);
}

}  // namespace
}  // namespace lwt::testing
