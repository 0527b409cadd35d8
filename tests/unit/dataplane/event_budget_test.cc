#include "dataplane/event_budget.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

constexpr uint64_t kSecond = 1'000'000;

// How many errors the peer gets of one each millisecond, for a second.
uint64_t Told(IcmpBudget& budget, PeerIndex peer, uint64_t from_us) {
  uint64_t told = 0;
  for (uint64_t us = from_us; us < from_us + kSecond; us += 1000) {
    if (!budget.Has(peer, us)) continue;
    budget.Charge(peer, us);
    ++told;
  }
  return told;
}

TEST(IcmpBudgetTest, BoundsWhatAPeerGets) {
  IcmpBudget budget(300);
  const uint64_t told = Told(budget, {7}, 10 * kSecond);
  EXPECT_GE(told, IcmpBudget::kPerSecondEach);
  EXPECT_LE(told, IcmpBudget::kPerSecondEach * 5 / 4);
}

// Neither those whose indices differ by a power of two, nor many together.
TEST(IcmpBudgetTest, WhatOthersUseUpIsNotMissed) {
  IcmpBudget budget(300);
  for (uint64_t us = 10 * kSecond; us < 11 * kSecond; us += 1000) {
    for (uint32_t peer = 1; peer <= 64; ++peer) {
      if (budget.Has({peer}, us)) budget.Charge({peer}, us);
    }
  }
  const uint64_t now_us = 11 * kSecond;
  EXPECT_FALSE(budget.Has({1}, now_us - 1000));
  EXPECT_TRUE(budget.Has({65}, now_us - 1000));
  EXPECT_TRUE(budget.Has({0}, now_us - 1000));
  EXPECT_TRUE(budget.Has(IcmpBudget::kInside, now_us));
}

TEST(IcmpBudgetTest, TheSumIsBoundedToo) {
  IcmpBudget budget(300);
  uint64_t told = 0;
  for (uint64_t us = 10 * kSecond; us < 11 * kSecond; us += 1000) {
    for (uint32_t peer = 0; peer < 300; ++peer) {
      if (!budget.Has({peer}, us)) continue;
      budget.Charge({peer}, us);
      ++told;
    }
  }
  EXPECT_LE(told, 300 * IcmpBudget::kPerSecondEach / 3);
}

}  // namespace
}  // namespace lwt
