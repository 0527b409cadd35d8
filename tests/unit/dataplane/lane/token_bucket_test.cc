#include "dataplane/lane/token_bucket.h"

#include <gtest/gtest.h>

namespace lwt::session {
namespace {

constexpr uint64_t kRate = 1'250'000;  // 10 Mbit/s

// Sends all that it may, each `step_us`, for a second; returns the bytes.
uint64_t SendAll(TokenBucket& bucket, uint64_t step_us, uint64_t from_us) {
  uint64_t sent = 0;
  for (uint64_t us = from_us; us < from_us + 1'000'000; us += step_us) {
    const uint32_t bytes = bucket.Refill(kRate, us);
    bucket.Spend(bytes);
    sent += bytes;
  }
  return sent;
}

TEST(TokenBucket, GivesTheRateHoweverOftenItIsAsked) {
  for (const uint64_t step_us : {10, 100, 1000, 4000}) {
    TokenBucket bucket;
    SendAll(bucket, step_us, 1'000'000);
    EXPECT_NEAR(static_cast<double>(SendAll(bucket, step_us, 2'000'000)), kRate,
                kRate / 100)
        << step_us;
  }
}

TEST(TokenBucket, SavesNoMoreThanItsDepth) {
  TokenBucket bucket;
  bucket.Refill(kRate, 1'000'000);
  EXPECT_EQ(bucket.Refill(kRate, 60'000'000),
            kRate * TokenBucket::kDepthUs / 1'000'000);
}

TEST(TokenBucket, ASlowRateLetsFullRecordsGo) {
  TokenBucket bucket;
  bucket.Refill(8000, 1'000'000);
  uint64_t us = 1'000'000;
  for (int i = 0; i < 10; ++i) bucket.Refill(8000, us += 1'000'000);
  EXPECT_EQ(bucket.Refill(8000, us), TokenBucket::kLeastDepth);
}

TEST(TokenBucket, WhatIsOwedIsPaidBack) {
  TokenBucket bucket;
  bucket.Refill(kRate, 1'000'000);
  bucket.Refill(kRate, 2'000'000);
  bucket.Spend(kRate / 10);  // of a tenth of a second
  EXPECT_EQ(bucket.Refill(kRate, 2'000'000), 0u);
  EXPECT_EQ(bucket.Refill(kRate, 2'090'000), 0u);
  EXPECT_GT(bucket.Refill(kRate, 2'100'000), 0u);
}

TEST(TokenBucket, WhatIsOwedForLongIsForgiven) {
  TokenBucket bucket;
  bucket.Refill(kRate, 1'000'000);
  bucket.Spend(100 * kRate);
  bucket.Refill(kRate, 1'000'000);
  uint64_t us = 1'000'000;
  while (bucket.Refill(kRate, us) == 0) us += 1000;
  EXPECT_LE(us - 1'000'000, TokenBucket::kMostOwedUs + 2000);
}

}  // namespace
}  // namespace lwt::session
