#include "dataplane/fair_shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace lwt {
namespace {

TEST(FairShares, NobodyHoldsAnythingAtFirst) {
  const FairShares shares(4);
  EXPECT_EQ(shares.Largest(), FairShares::kNone);
  EXPECT_EQ(shares.total(), 0u);
}

TEST(FairShares, NamesWhoHoldsTheMost) {
  FairShares shares(3);
  shares.Add(1, 3);
  shares.Add(2, 9);
  EXPECT_EQ(shares.Largest(), 2u);
  shares.Remove(2, 8);
  EXPECT_EQ(shares.Largest(), 1u);
  EXPECT_EQ(shares.total(), 4u);
  shares.Remove(1, 3);
  EXPECT_EQ(shares.Largest(), 2u);
  shares.Remove(2, 1);
  EXPECT_EQ(shares.Largest(), FairShares::kNone);
}

TEST(FairShares, ManyOfOneListLeaveItInAnyOrder) {
  FairShares shares(5);
  for (const uint32_t lane : {0u, 1u, 2u, 3u, 4u}) shares.Add(lane, 4);
  for (const uint32_t lane : {2u, 4u, 0u, 3u}) {
    shares.Remove(lane, 4);
    EXPECT_GT(shares.held(shares.Largest()), 0u);
  }
  EXPECT_EQ(shares.Largest(), 1u);
}

// A full store from which the lane that is named gives up one thing for each
// that comes: whoever holds half of an equal share or less keeps it.
TEST(FairShares, HalfOfAnEqualShareIsNeverTaken) {
  constexpr uint32_t kStore = 100;
  std::mt19937 random(7);
  for (int run = 0; run < 200; ++run) {
    const uint32_t lanes = 2 + random() % 9;
    FairShares shares(lanes);
    for (int step = 0; step < 2000; ++step) {
      // The last lane wants more than all others together.
      const uint32_t lane = random() % 2 == 0
                                ? lanes - 1
                                : static_cast<uint32_t>(random() % lanes);
      if (shares.total() == kStore) {
        const uint32_t named = shares.Largest();
        ASSERT_GT(2 * shares.held(named) * lanes, kStore);
        for (uint32_t each = 0; each < lanes; ++each) {
          ASSERT_LT(shares.held(each), 2 * shares.held(named));
        }
        shares.Remove(named, 1);
      }
      shares.Add(lane, 1);
    }
  }
}

}  // namespace
}  // namespace lwt
