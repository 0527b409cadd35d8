#include "dataplane/fec/repair_cache.h"

#include <gtest/gtest.h>

namespace lwt::fec {
namespace {

constexpr LaneIndex kFewLosses{1};
constexpr LaneIndex kManyLosses{2};

// The losses of a lane: one of twenty shards, by the first parity.
uint64_t LoseEachOnce(RepairCache& cache) {
  const uint64_t before = cache.misses();
  for (int index = 0; index < 20; ++index) {
    cache.FindWhole(kFewLosses, uint64_t{1} << index, 1, 20);
  }
  return cache.misses() - before;
}

// Pairs of lost shards, 2016 of them, in each combination of two parities.
void LoseAllPairs(RepairCache& cache) {
  for (const uint32_t rows : {3u, 5u, 6u}) {
    for (int one = 0; one < 64; ++one) {
      for (int other = 0; other < one; ++other) {
        cache.Find(kManyLosses, uint64_t{1} << one | uint64_t{1} << other,
                   rows);
      }
    }
  }
}

TEST(RepairCache, ALaneWithEverNewLossesLeavesTheOthersTheirPatterns) {
  RepairCache cache;
  EXPECT_EQ(LoseEachOnce(cache), 20u);
  LoseAllPairs(cache);
  // A place that it took while it had none in the set, no more.
  const uint64_t again = LoseEachOnce(cache);
  EXPECT_LE(again, 8u);
  LoseAllPairs(cache);
  EXPECT_LE(LoseEachOnce(cache), 8u);
}

TEST(RepairCache, ALaneAloneHasAllPlaces) {
  RepairCache cache;
  EXPECT_EQ(LoseEachOnce(cache), 20u);
  EXPECT_EQ(LoseEachOnce(cache), 0u);
}

}  // namespace
}  // namespace lwt::fec
