#include "dataplane/flow/line_load.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

class LineLoadTest : public ::testing::Test {
 protected:
  // A second of round trips, each that much longer than 40 ms.
  template <typename Queue>
  void Pass(Queue queue_us, bool loaded = true) {
    for (int i = 0; i < 200; ++i) {
      now_us_ += 5000;
      load_.OnRoundTrip(40'000 + queue_us(i), loaded, now_us_);
    }
  }

  // Something, and then something comes that waited so long.
  void Lose(uint32_t queue_us) {
    now_us_ += 100;
    load_.OnRoundTrip(40'000 + queue_us, /*loaded=*/true, now_us_);
    load_.OnHole(40'000 + queue_us, now_us_);
  }

  LineLoad load_;
  uint64_t now_us_ = 1'000'000;
};

TEST_F(LineLoadTest, AnEmptyLineIsNotFull) {
  Pass([](int) { return 0u; });
  EXPECT_FALSE(load_.full());
  EXPECT_EQ(load_.floor_us(), 40'000u);
  EXPECT_EQ(load_.full_until_us(now_us_), 0u);
}

TEST_F(LineLoadTest, AQueueThatStandsIsAFullLine) {
  Pass([](int) { return 0u; });
  Pass([](int) { return 20'000u; });
  EXPECT_TRUE(load_.full());
  EXPECT_EQ(load_.full_until_us(now_us_), now_us_);
  const uint64_t until_us = now_us_;
  Pass([](int) { return 0u; });
  EXPECT_FALSE(load_.full());
  EXPECT_GE(load_.full_until_us(now_us_), until_us);
  EXPECT_LT(load_.full_until_us(now_us_), until_us + 100'000);
}

// Each round trip it is empty for a moment.
TEST_F(LineLoadTest, ABurstIsNoQueue) {
  Pass([](int i) { return i % 7 == 0 ? 0u : 20'000u; });
  EXPECT_FALSE(load_.full());
}

TEST_F(LineLoadTest, NorIsJitter) {
  Pass([](int i) { return static_cast<uint32_t>(i * 7919 % 10) * 1000; });
  EXPECT_FALSE(load_.full());
}

// A queue that holds little does not stand, and what it drops is a sign.
TEST_F(LineLoadTest, AQueueThatRanOverIsAFullLine) {
  const auto burst = [](int i) { return static_cast<uint32_t>(i % 20) * 500; };
  Pass(burst);
  Lose(3000);
  EXPECT_FALSE(load_.full());
  for (int i = 0; i < 20; ++i) Lose(9000);
  EXPECT_TRUE(load_.full());
  EXPECT_FALSE(load_.stands());
  EXPECT_EQ(load_.full_until_us(now_us_), now_us_);
  // It stays so for a round trip, in which what was lost goes again.
  now_us_ += 30'000;
  load_.OnRoundTrip(40'000, /*loaded=*/true, now_us_);
  EXPECT_TRUE(load_.full());
  Pass(burst);
  EXPECT_FALSE(load_.full());
}

// Of the longest queue there was for a while.
TEST_F(LineLoadTest, ALossBehindAShorterOneIsByChance) {
  Pass([](int i) { return i == 100 ? 40'000u : 0u; });
  for (int i = 0; i < 3; ++i) Lose(20'000);
  EXPECT_FALSE(load_.full());
  for (int i = 0; i < 21; ++i) {
    Pass([](int at) { return at == 100 ? 20'000u : 0u; });
  }
  for (int i = 0; i < 3; ++i) Lose(20'000);
  EXPECT_TRUE(load_.full());
}

// What comes late does so by the way's nature, behind losses as elsewhere.
TEST_F(LineLoadTest, LossesAmongLateOnesAreByChance) {
  for (int i = 0; i < 40; ++i) {
    Pass([](int at) { return at % 10 == 0 ? 9000u : 0u; });
    Lose(i % 8 == 0 ? 9000 : 0);
    EXPECT_FALSE(load_.full()) << i;
  }
}

TEST_F(LineLoadTest, ALossWithoutAQueueIsByChance) {
  Pass([](int) { return 0u; });
  Lose(900);
  EXPECT_FALSE(load_.full());
}

// Ours is not what fills it.
TEST_F(LineLoadTest, WithoutLoadALongerWayIsTheWay) {
  Pass([](int) { return 0u; });
  Pass([](int) { return 60'000u; }, /*loaded=*/false);
  EXPECT_FALSE(load_.full());
  EXPECT_EQ(load_.floor_us(), 100'000u);
  Pass([](int) { return 61'000u; });
  EXPECT_FALSE(load_.full());
  Pass([](int) { return 0u; });
  EXPECT_EQ(load_.floor_us(), 40'000u);
}

TEST_F(LineLoadTest, AShortestRoundTripIsForgottenAtLast) {
  Pass([](int) { return 0u; });
  now_us_ += LineLoad::kFloorUs;
  Pass([](int) { return 60'000u; });
  EXPECT_TRUE(load_.full());
  now_us_ += LineLoad::kFloorUs;
  Pass([](int) { return 60'000u; });
  EXPECT_FALSE(load_.full());
  EXPECT_EQ(load_.floor_us(), 100'000u);
}

}  // namespace
}  // namespace lwt
