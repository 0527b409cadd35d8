#include "dataplane/clock.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

TEST(Clock, IsTheKernelsInMicroseconds) {
  timespec before{};
  timespec after{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  const uint64_t now_us = MonotonicUs();
  clock_gettime(CLOCK_MONOTONIC, &after);
  const auto us = [](const timespec& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<uint64_t>(time.tv_nsec) / 1000;
  };
  EXPECT_GE(now_us, us(before));
  EXPECT_LE(now_us, us(after));
}

TEST(Clock, CyclesOfACounterThatBeganAnewCountForNothing) {
  EXPECT_EQ(CyclesBetween(1000, 1500), 500u);
  EXPECT_EQ(CyclesBetween(5'000'000'000, 12), 0u);
}

}  // namespace
}  // namespace lwt
