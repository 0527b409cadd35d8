#include "control/host/instance/suspend_watch.h"

#include <gtest/gtest.h>

namespace lwt::host {
namespace {

constexpr uint64_t kSecond = 1'000'000;

TEST(SuspendWatch, SeesNothingWhileBothClocksRun) {
  SuspendWatch watch(100 * kSecond, 700 * kSecond);
  // The two are not read at the same moment.
  EXPECT_EQ(watch.Slept(200 * kSecond, 800 * kSecond + 900), 0u);
  EXPECT_EQ(watch.Slept(201 * kSecond + 900, 801 * kSecond), 0u);
}

TEST(SuspendWatch, TellsOnceHowLongItWas) {
  SuspendWatch watch(100 * kSecond, 100 * kSecond);
  EXPECT_EQ(watch.Slept(101 * kSecond, 161 * kSecond), 60 * kSecond);
  EXPECT_EQ(watch.Slept(102 * kSecond, 162 * kSecond), 0u);
  EXPECT_EQ(watch.Slept(103 * kSecond, 168 * kSecond), 5 * kSecond);
}

TEST(SuspendWatch, ShortOnesAddUp) {
  SuspendWatch watch(0, 0);
  EXPECT_EQ(watch.Slept(kSecond, kSecond + 600'000), 0u);
  EXPECT_EQ(watch.Slept(2 * kSecond, 2 * kSecond + 1'200'000), 1'200'000u);
}

}  // namespace
}  // namespace lwt::host
