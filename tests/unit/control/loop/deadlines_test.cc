#include "control/loop/deadlines.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lwt::loop {
namespace {

TEST(DeadlinesTest, NothingIsDueAtFirst) {
  Deadlines deadlines(3);
  EXPECT_EQ(deadlines.Next(), Deadlines::kNever);
  EXPECT_FALSE(deadlines.TakeDue(UINT64_MAX).has_value());
}

TEST(DeadlinesTest, NoKeysAreNoTrouble) {
  Deadlines deadlines(0);
  EXPECT_EQ(deadlines.Next(), Deadlines::kNever);
  EXPECT_FALSE(deadlines.TakeDue(1).has_value());
}

TEST(DeadlinesTest, WhatIsDueFirstComesFirst) {
  Deadlines deadlines(3);
  deadlines.Set(0, 30);
  deadlines.Set(1, 10);
  deadlines.Set(2, 20);
  EXPECT_EQ(deadlines.Next(), 10u);
  EXPECT_FALSE(deadlines.TakeDue(9).has_value());
  EXPECT_EQ(deadlines.TakeDue(25), 1u);
  EXPECT_EQ(deadlines.TakeDue(25), 2u);
  EXPECT_FALSE(deadlines.TakeDue(25).has_value());
  EXPECT_EQ(deadlines.Next(), 30u);
}

TEST(DeadlinesTest, ADeadlineCanBeMovedAndTakenBack) {
  Deadlines deadlines(2);
  deadlines.Set(0, 10);
  deadlines.Set(1, 20);
  deadlines.Set(0, 40);
  EXPECT_EQ(deadlines.Next(), 20u);
  deadlines.Set(1, Deadlines::kNever);
  EXPECT_EQ(deadlines.Next(), 40u);
  EXPECT_EQ(deadlines.Of(1), Deadlines::kNever);
}

// Beside the plainest thing that does the same.
TEST(DeadlinesTest, AgreesWithAWalkOverAll) {
  std::mt19937 random(7);
  constexpr uint32_t kKeys = 200;
  Deadlines deadlines(kKeys);
  std::vector<uint64_t> plain(kKeys, Deadlines::kNever);
  uint64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint32_t key = random() % kKeys;
    plain[key] = random() % 8 == 0 ? Deadlines::kNever : now + random() % 500;
    deadlines.Set(key, plain[key]);
    ASSERT_EQ(deadlines.Next(), *std::min_element(plain.begin(), plain.end()));
    now += random() % 3;
    while (const auto due = deadlines.TakeDue(now)) {
      ASSERT_LE(plain[*due], now);
      plain[*due] = Deadlines::kNever;
    }
    ASSERT_GT(*std::min_element(plain.begin(), plain.end()), now);
  }
}

}  // namespace
}  // namespace lwt::loop
