#include "drivers/memory_mode.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/temp_tree.h"

namespace lwt {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kSmallPage = 2 * kMebibyte;
constexpr uint64_t kLargePage = 1024 * kMebibyte;

TEST(MemoryModeTest, HasTheNamesOfTheConfiguration) {
  for (const MemoryMode mode :
       {MemoryMode::kAuto, MemoryMode::kHugepages, MemoryMode::kNoHuge}) {
    EXPECT_EQ(ParseMemoryMode(ToString(mode)), mode);
  }
  EXPECT_EQ(ParseMemoryMode("no-huge"), MemoryMode::kNoHuge);
  EXPECT_EQ(ParseMemoryMode("Auto"), std::nullopt);
  EXPECT_EQ(ParseMemoryMode(""), std::nullopt);
}

TEST(PlanMemoryTest, AutoTakesHugepagesWhenEnoughAreFree) {
  const std::vector<HugepagePool> pools = {{kSmallPage, 64, 30}};
  const auto plan = PlanMemory(MemoryMode::kAuto, 59 * kMebibyte, pools);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->use_hugepages);
  EXPECT_EQ(plan->megabytes, 60u);
  EXPECT_EQ(plan->reason, "hugepages: 30 of 2 MiB (30 are free)");
}

TEST(PlanMemoryTest, AutoDoesWithoutWhenOneIsMissing) {
  const std::vector<HugepagePool> pools = {{kSmallPage, 64, 29},
                                           {kLargePage, 0, 0}};
  const auto plan = PlanMemory(MemoryMode::kAuto, 59 * kMebibyte, pools);
  ASSERT_TRUE(plan.ok());
  EXPECT_FALSE(plan->use_hugepages);
  EXPECT_EQ(plan->megabytes, 59u);
  EXPECT_EQ(plan->reason,
            "ordinary pages: 59 MiB; hugepages would take 30 of 2 MiB, free: "
            "29 of 2 MiB, 0 of 1024 MiB");
}

TEST(PlanMemoryTest, TakesTheSmallestPagesThatSuffice) {
  const std::vector<HugepagePool> pools = {{kSmallPage, 10, 10},
                                           {kLargePage, 2, 2}};
  const auto plan = PlanMemory(MemoryMode::kAuto, 100 * kMebibyte, pools);
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->use_hugepages);
  EXPECT_EQ(plan->megabytes, 1024u);
}

TEST(PlanMemoryTest, NoHugeLeavesFreeHugepagesAlone) {
  const std::vector<HugepagePool> pools = {{kSmallPage, 512, 512}};
  const auto plan = PlanMemory(MemoryMode::kNoHuge, kMebibyte + 1, pools);
  ASSERT_TRUE(plan.ok());
  EXPECT_FALSE(plan->use_hugepages);
  EXPECT_EQ(plan->megabytes, 2u);
  EXPECT_EQ(plan->reason,
            "ordinary pages: 2 MiB, as memory = \"no-huge\" says");
}

TEST(PlanMemoryTest, DemandedHugepagesThatLackAreAnErrorWithItsFix) {
  const auto plan = PlanMemory(MemoryMode::kHugepages, 60 * kMebibyte, {});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(plan.status().message(),
            "memory = \"hugepages\" needs 30 free hugepages of 2 MiB (60 MiB); "
            "free: none. Fix: sysctl -w vm.nr_hugepages=30");
}

constexpr char kGlobal[] = "kernel/mm/hugepages/";
constexpr char kNode[] = "devices/system/node/node1/hugepages/";

void WritePool(TempTree& tree, const std::string& folder,
               const std::string& total, const std::string& free) {
  tree.Write(folder + "/nr_hugepages", total);
  tree.Write(folder + "/free_hugepages", free);
}

TEST(ReadHugepagesTest, ReadsEachSizeSmallestFirst) {
  TempTree tree;
  WritePool(tree, std::string(kGlobal) + "hugepages-1048576kB", "2\n", "1\n");
  WritePool(tree, std::string(kGlobal) + "hugepages-2048kB", "64\n", "60\n");
  const auto pools = ReadHugepagePools(tree.root(), -1);
  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(pools[0].page_bytes, kSmallPage);
  EXPECT_EQ(pools[0].total_pages, 64u);
  EXPECT_EQ(pools[0].free_pages, 60u);
  EXPECT_EQ(pools[1].page_bytes, kLargePage);
  EXPECT_EQ(pools[1].free_pages, 1u);
}

TEST(ReadHugepagesTest, PrefersTheNode) {
  TempTree tree;
  WritePool(tree, std::string(kGlobal) + "hugepages-2048kB", "64", "60");
  WritePool(tree, std::string(kNode) + "hugepages-2048kB", "32", "5");
  EXPECT_EQ(ReadHugepagePools(tree.root(), 1)[0].free_pages, 5u);
  EXPECT_EQ(ReadHugepagePools(tree.root(), 0)[0].free_pages, 60u);
}

TEST(ReadHugepagesTest, LeavesHostileEntriesOut) {
  TempTree tree;
  const std::string folder(kGlobal);
  WritePool(tree, folder + "hugepages-0kB", "1", "1");
  WritePool(tree, folder + "hugepages-kB", "1", "1");
  WritePool(tree, folder + "hugepages-64kB", "1", "1");
  WritePool(tree, folder + "hugepages--2048kB", "1", "1");
  WritePool(tree, folder + "hugepages-99999999999999999999kB", "1", "1");
  WritePool(tree, folder + "hugepages-18014398509481984kB", "1", "1");
  WritePool(tree, folder + "hugepages-2048", "1", "1");
  WritePool(tree, folder + "hugepageskB", "1", "1");
  EXPECT_TRUE(ReadHugepagePools(tree.root(), -1).empty());
  WritePool(tree, folder + "hugepages-2048kB", "many", "1");
  EXPECT_TRUE(ReadHugepagePools(tree.root(), -1).empty());
  WritePool(tree, folder + "hugepages-2048kB", "3", "18446744073709551615");
  ASSERT_EQ(ReadHugepagePools(tree.root(), -1).size(), 1u);
  EXPECT_EQ(ReadHugepagePools(tree.root(), -1)[0].free_pages, 3u);
}

TEST(ReadHugepagesTest, AHostWithoutAnyHasNone) {
  EXPECT_TRUE(ReadHugepagePools("/nowhere", 0).empty());
}

TEST(NumaNodeTest, IsReadFromTheCpusFolder) {
  TempTree tree;
  tree.Write("devices/system/cpu/cpu3/node1/cpulist", "3");
  tree.Write("devices/system/cpu/cpu4/nodes", "");
  tree.Write("devices/system/cpu/cpu5/node99999/x", "");
  EXPECT_EQ(NumaNodeOfCpu(tree.root(), 3), 1);
  EXPECT_EQ(NumaNodeOfCpu(tree.root(), 4), -1);
  EXPECT_EQ(NumaNodeOfCpu(tree.root(), 5), -1);
  EXPECT_EQ(NumaNodeOfCpu(tree.root(), 6), -1);
}

TEST(MemoryNeedTest, GrowsByWhatAFrameTakes) {
  const MemoryRequest none;
  const uint64_t base = ComputeMemoryNeed(none);
  MemoryRequest request;
  request.small_frames = 4096;
  request.jumbo_frames = 96;
  const uint64_t need = ComputeMemoryNeed(request);
  // Buffers of 2304 and 65 663 bytes, and at most 30 % and 2 MiB around them.
  const uint64_t buffers = 4096 * 2304 + 96 * 65663;
  EXPECT_GT(need - base, buffers);
  EXPECT_LT(need - base, buffers * 13 / 10 + 2 * kMebibyte);
}

}  // namespace
}  // namespace lwt
