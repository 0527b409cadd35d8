#include "dataplane/shown_losses.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

constexpr uint64_t kGapUs = 40'000;

TEST(ShownLossesTest, OnceInATime) {
  ShownLosses shown;
  EXPECT_TRUE(shown.IsDue(7, 1'000'000, kGapUs));
  EXPECT_FALSE(shown.IsDue(7, 1'000'000 + kGapUs - 1, kGapUs));
  EXPECT_TRUE(shown.IsDue(8, 1'000'000, kGapUs));
  EXPECT_TRUE(shown.IsDue(7, 1'000'000 + kGapUs, kGapUs));
}

// However many flows somebody makes, no other is shown more for it.
TEST(ShownLossesTest, OthersFlowsMakeNothingDue) {
  ShownLosses shown;
  uint64_t due = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint64_t now_us = 1'000'000 + i * 10;
    if (shown.IsDue(7, now_us, kGapUs)) ++due;
    for (uint32_t other = 0; other < 256; ++other) {
      shown.IsDue((i + 1) << 8 | other, now_us, kGapUs);
    }
  }
  EXPECT_EQ(due, 1u);
}

}  // namespace
}  // namespace lwt
