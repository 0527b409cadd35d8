#include "drivers/cpu_set.h"

#include <gtest/gtest.h>

#include <thread>

namespace lwt {
namespace {

TEST(CpuPlanTest, OneCpuIsShared) {
  const auto plan = PlanCpus(CpuList{5}, 1);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->control, 5);
  EXPECT_EQ(plan->workers, CpuList{5});
  EXPECT_TRUE(plan->is_shared);
}

TEST(CpuPlanTest, ControlTakesTheFirstAndWorkersTheLast) {
  const auto plan = PlanCpus(CpuList{2, 3, 8, 9}, 2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->control, 2);
  EXPECT_EQ(plan->workers, (CpuList{8, 9}));
  EXPECT_FALSE(plan->is_shared);
}

TEST(CpuPlanTest, ControlSharesOnlyWhenEveryCpuHasAWorker) {
  const auto plan = PlanCpus(CpuList{0, 1}, 1);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->workers, CpuList{1});
  EXPECT_FALSE(plan->is_shared);
  const auto full = PlanCpus(CpuList{0, 1}, 2);
  ASSERT_TRUE(full.ok());
  EXPECT_EQ(full->control, 0);
  EXPECT_EQ(full->workers, (CpuList{0, 1}));
  EXPECT_TRUE(full->is_shared);
}

TEST(CpuPlanTest, RefusesWhatCannotRun) {
  EXPECT_FALSE(PlanCpus(CpuList{}, 1).ok());
  EXPECT_FALSE(PlanCpus(CpuList{0}, 2).ok());
  EXPECT_FALSE(PlanCpus(CpuList{0, 1, 2}, 0).ok());
  EXPECT_FALSE(PlanCpus(CpuList{0, 1, 2}, -1).ok());
  const auto plan = PlanCpus(CpuList{0, 1, 2}, 4);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().message(),
            "4 workers cannot run on the allowed CPUs (0-2): 1 to 3 can; "
            "allow more CPUs (taskset, cpuset) or ask for fewer workers");
}

TEST(CpuListTest, IsWrittenAsTheKernelDoes) {
  EXPECT_EQ(FormatCpuList(CpuList{}), "none");
  EXPECT_EQ(FormatCpuList(CpuList{7}), "7");
  EXPECT_EQ(FormatCpuList(CpuList{0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
}

// Affinity belongs to a thread: these have one of their own.
TEST(AffinityTest, AThreadIsConfinedAndSeesIt) {
  std::thread([] {
    const auto before = AllowedCpus();
    ASSERT_TRUE(before.ok());
    ASSERT_FALSE(before->empty());
    const CpuList last = {before->back()};
    ASSERT_TRUE(SetThreadAffinity(last).ok());
    EXPECT_EQ(*AllowedCpus(), last);
  }).join();
}

TEST(AffinityTest, AScopeRestoresWhatItFound) {
  std::thread([] {
    const auto before = AllowedCpus();
    ASSERT_TRUE(before.ok());
    {
      const ScopedAffinity scope;
      ASSERT_TRUE(SetThreadAffinity(CpuList{before->front()}).ok());
      EXPECT_EQ(AllowedCpus()->size(), 1u);
    }
    EXPECT_EQ(*AllowedCpus(), *before);
  }).join();
}

TEST(AffinityTest, RefusesCpusThatDoNotExist) {
  EXPECT_FALSE(SetThreadAffinity(CpuList{}).ok());
  EXPECT_FALSE(SetThreadAffinity(CpuList{-1}).ok());
  EXPECT_FALSE(SetThreadAffinity(CpuList{60000}).ok());
  EXPECT_FALSE(SetThreadAffinity(CpuList{1 << 30}).ok());
}

}  // namespace
}  // namespace lwt
