#include "tests/support/line/line_model.h"

#include <gtest/gtest.h>

namespace lwt::testing {
namespace {

TEST(LineModelTest, CarriesItsRate) {
  LineModel line(
      {.rate_bps = 8'000'000, .queue_bytes = 1'000'000, .delay_us = 5000});
  for (uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(line.Offer({i, 1000}, 0));
  EXPECT_EQ(line.NextArrival(), 6000u);
  EXPECT_FALSE(line.Take(5999));
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(line.Take(6000 + i * 1000)->number, i);
  }
  EXPECT_EQ(line.NextArrival(), UINT64_MAX);
}

TEST(LineModelTest, DropsAtTheTail) {
  LineModel line({.rate_bps = 8'000'000, .queue_bytes = 3000});
  for (uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(line.Offer({i, 1000}, 0));
  EXPECT_FALSE(line.Offer({4, 1000}, 0));
  EXPECT_EQ(line.counts().dropped, 1u);
  EXPECT_EQ(line.queued_bytes(2000), 2000u);
  EXPECT_TRUE(line.Offer({5, 1000}, 2000));
}

TEST(LineModelTest, LosesByChanceTheSameForASeed) {
  for (const uint64_t seed : {1u, 2u}) {
    LineModel line({.loss = 0.03, .seed = seed});
    LineModel same({.loss = 0.03, .seed = seed});
    for (uint64_t i = 0; i < 10'000; ++i) {
      EXPECT_EQ(line.Offer({i, 1000}, i), same.Offer({i, 1000}, i));
    }
    EXPECT_NEAR(static_cast<double>(line.counts().lost), 300, 60);
  }
}

}  // namespace
}  // namespace lwt::testing
