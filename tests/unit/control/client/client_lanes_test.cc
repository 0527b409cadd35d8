// Which lane of a session is to be built next, and when: the bookkeeping alone,
// without a session.
#include "control/client/client_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace lwt::peer {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

// Jitter that is always none: RandomBetween gives its lower bound.
void NoJitter(std::span<uint8_t> out) { std::ranges::fill(out, 0); }

// Of the n-th failure in a row.
uint64_t WaitUs(uint32_t n) { return (kSecondUs << std::min(n, 5u)) * 3 / 4; }

class ClientLanesTest : public testing::Test {
 protected:
  void Begin(uint32_t slots) { lanes_.Begin(slots); }
  void UpAll(uint8_t slots) {
    for (uint8_t slot = 0; slot < slots; ++slot) lanes_.OnUp({slot}, now_us_);
  }

  ClientLanes lanes_{NoJitter};
  uint64_t now_us_ = 100 * kSecondUs;
};

TEST_F(ClientLanesTest, WithoutASessionNothingIsWanted) {
  EXPECT_EQ(lanes_.Wanted(now_us_), std::nullopt);
  EXPECT_EQ(lanes_.NextWanted(), UINT64_MAX);
  EXPECT_EQ(lanes_.next_tick_us(), UINT64_MAX);
  EXPECT_FALSE(lanes_.AnySound());
  Begin(2);
  lanes_.End();
  EXPECT_EQ(lanes_.Wanted(now_us_), std::nullopt);
  EXPECT_FALSE(lanes_.AnySound());
}

TEST_F(ClientLanesTest, MissingLanesAreWantedInTurn) {
  Begin(3);
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{0});
  EXPECT_FALSE(lanes_.AnySound());
  lanes_.OnUp({0}, now_us_);
  EXPECT_TRUE(lanes_.AnySound());
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{1});
  lanes_.OnUp({1}, now_us_);
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{2});
  lanes_.OnUp({2}, now_us_);
  EXPECT_EQ(lanes_.Wanted(now_us_), std::nullopt);
  EXPECT_EQ(lanes_.NextWanted(), UINT64_MAX);
}

TEST_F(ClientLanesTest, OneThatFailsWaitsLongerEachTimeAndHoldsUpNoOther) {
  Begin(2);
  for (uint32_t failure = 0; failure < 8; ++failure) {
    ASSERT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{0});
    lanes_.OnFailed({0}, now_us_);
    EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{1})
        << "the other one may be tried";
    const uint64_t next_us = now_us_ + WaitUs(failure);
    EXPECT_EQ(lanes_.Wanted(next_us - 1), handshake::LaneSlot{1});
    EXPECT_EQ(lanes_.Wanted(next_us), handshake::LaneSlot{0});
    now_us_ = next_us;
  }
  lanes_.OnUp({1}, now_us_);
  lanes_.OnFailed({0}, now_us_);
  EXPECT_EQ(lanes_.NextWanted(), now_us_ + 24 * kSecondUs);
}

TEST_F(ClientLanesTest, OneThatServedLongIsReplacedAtOnce) {
  Begin(1);
  lanes_.OnFailed({0}, now_us_);
  lanes_.OnFailed({0}, now_us_);
  now_us_ += 10 * kSecondUs;
  lanes_.OnUp({0}, now_us_);
  now_us_ += 10 * kSecondUs;
  lanes_.OnDown({0}, now_us_);
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{0});
  // And what was held against it before is forgotten.
  lanes_.OnFailed({0}, now_us_);
  EXPECT_EQ(lanes_.NextWanted(), now_us_ + WaitUs(0));
}

TEST_F(ClientLanesTest, OneThatServedBrieflyIsNot) {
  Begin(1);
  lanes_.OnUp({0}, now_us_);
  now_us_ += 10 * kSecondUs - 1;
  lanes_.OnDown({0}, now_us_);
  EXPECT_EQ(lanes_.Wanted(now_us_), std::nullopt);
  EXPECT_EQ(lanes_.NextWanted(), now_us_ + WaitUs(0));
  now_us_ += WaitUs(0);
  lanes_.OnUp({0}, now_us_);
  lanes_.OnDown({0}, now_us_ + 1);
  EXPECT_EQ(lanes_.NextWanted(), now_us_ + 1 + WaitUs(1))
      << "and the next less";
}

TEST_F(ClientLanesTest, AfterAMoveEveryLaneIsToBeReplaced) {
  Begin(2);
  UpAll(2);
  ASSERT_TRUE(lanes_.AnySound());
  lanes_.OnMoved();
  EXPECT_FALSE(lanes_.AnySound());
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{0});
  lanes_.OnUp({0}, now_us_);
  EXPECT_TRUE(lanes_.AnySound());
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{1});
}

TEST_F(ClientLanesTest, HintsAndAnswersBringTheTickForward) {
  Begin(3);
  lanes_.OnUp({0}, now_us_);
  EXPECT_EQ(lanes_.next_tick_us(), now_us_ + Liveness::kTickUs);
  lanes_.Hint({1}, now_us_);
  lanes_.Hint({77}, now_us_);
  lanes_.OnAnswer({2}, now_us_);
  lanes_.OnAnswer({77}, now_us_);
  EXPECT_EQ(lanes_.next_tick_us(), now_us_ + Liveness::kTickUs)
      << "there is no such lane";
  lanes_.Hint({0}, now_us_ + 5);
  EXPECT_EQ(lanes_.next_tick_us(), now_us_ + 5);
  lanes_.OnAnswer({0}, now_us_ + 9);
  EXPECT_EQ(lanes_.next_tick_us(), now_us_ + 9);
}

TEST_F(ClientLanesTest, ANewSessionBeginsAfresh) {
  Begin(1);
  for (int i = 0; i < 5; ++i) lanes_.OnFailed({0}, now_us_);
  lanes_.OnUp({0}, now_us_);
  lanes_.Hint({0}, now_us_);
  Begin(2);
  EXPECT_EQ(lanes_.next_tick_us(), UINT64_MAX);
  EXPECT_EQ(lanes_.Wanted(now_us_), handshake::LaneSlot{0});
  lanes_.OnFailed({0}, now_us_);
  lanes_.OnUp({1}, now_us_);
  EXPECT_EQ(lanes_.NextWanted(), now_us_ + WaitUs(0));
}

}  // namespace
}  // namespace lwt::peer
