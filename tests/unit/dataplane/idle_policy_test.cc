#include "dataplane/idle_policy.h"

#include <gtest/gtest.h>

namespace lwt {
namespace {

using Step = IdlePolicy::Step;
constexpr uint64_t kSleepAfterUs = IdlePolicy::kSleepAfterUs;

// Spends the empty polls that come before relaxing.
void SpendPolls(IdlePolicy& policy, uint64_t now_us) {
  for (uint32_t i = 0; i < IdlePolicy::kBusyPolls; ++i) {
    EXPECT_EQ(policy.Next(false, now_us), Step::kPoll) << i;
  }
}

TEST(IdlePolicy, PollsWhileThereIsWork) {
  IdlePolicy policy(IdleMode::kAdaptive);
  for (uint64_t now = 0; now < 1000; now += 10) {
    EXPECT_EQ(policy.Next(true, now), Step::kPoll);
  }
}

TEST(IdlePolicy, PollsThenRelaxesThenSleeps) {
  IdlePolicy policy(IdleMode::kAdaptive);
  policy.Next(true, 1000);
  SpendPolls(policy, 1000);
  EXPECT_EQ(policy.Next(false, 1000), Step::kRelax);
  EXPECT_EQ(policy.Next(false, 1000 + kSleepAfterUs - 1), Step::kRelax);
  EXPECT_EQ(policy.Next(false, 1000 + kSleepAfterUs), Step::kSleep);
  EXPECT_EQ(policy.Next(false, 1000 + 10 * kSleepAfterUs), Step::kSleep);
}

TEST(IdlePolicy, SpendsItsPollsHoweverLateItIs) {
  IdlePolicy policy(IdleMode::kAdaptive);
  policy.Next(true, 1000);
  SpendPolls(policy, 1'000'000);
  EXPECT_EQ(policy.Next(false, 1'000'000), Step::kSleep);
}

TEST(IdlePolicy, WorkBeginsAnew) {
  IdlePolicy policy(IdleMode::kAdaptive);
  policy.Next(true, 0);
  SpendPolls(policy, 500);
  ASSERT_EQ(policy.Next(false, 500), Step::kSleep);
  EXPECT_EQ(policy.Next(true, 600), Step::kPoll);
  SpendPolls(policy, 601);
  EXPECT_EQ(policy.Next(false, 601), Step::kRelax);
  EXPECT_EQ(policy.Next(false, 600 + kSleepAfterUs), Step::kSleep);
}

TEST(IdlePolicy, BusyModeNeverYields) {
  IdlePolicy policy(IdleMode::kBusy);
  for (uint64_t now = 0; now < 1'000'000; now += 1000) {
    EXPECT_EQ(policy.Next(false, now), Step::kPoll);
  }
}

}  // namespace
}  // namespace lwt
