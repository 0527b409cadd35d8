#include "drivers/memory_limit.h"

#include <gtest/gtest.h>

#include "tests/unit/drivers/temp_tree.h"

namespace lwt {
namespace {

class MemoryLimitTest : public testing::Test {
 protected:
  uint64_t Read() const {
    return ReadMemoryLimit(tree_.root() + "/proc", tree_.root() + "/sys");
  }
  TempTree tree_;
};

TEST_F(MemoryLimitTest, WhatCannotBeReadIsNoLimit) {
  EXPECT_EQ(Read(), UINT64_MAX) << "no /proc, no /sys";
  tree_.Write("proc/self/cgroup", "nonsense\n0::/system.slice\n");
  EXPECT_EQ(Read(), UINT64_MAX);
  tree_.Write("sys/fs/cgroup/system.slice/memory.max", "max\n");
  EXPECT_EQ(Read(), UINT64_MAX);
}

TEST_F(MemoryLimitTest, TheLeastOnTheWayUpCounts) {
  tree_.Write("proc/self/cgroup", "0::/a.slice/b.service\n");
  tree_.Write("sys/fs/cgroup/a.slice/b.service/memory.max", "67108864\n");
  EXPECT_EQ(Read(), 64u << 20);
  tree_.Write("sys/fs/cgroup/a.slice/memory.max", "33554432\n");
  EXPECT_EQ(Read(), 32u << 20);
  tree_.Write("sys/fs/cgroup/memory.max", "16777216\n");
  EXPECT_EQ(Read(), 16u << 20) << "of a container, which is at the root";
}

TEST_F(MemoryLimitTest, VersionOneHasItsOwnMount) {
  tree_.Write("proc/self/cgroup",
              "5:cpu,cpuacct:/x\n4:hugetlb,memory:/x\n0::/y\n");
  tree_.Write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1048576\n");
  tree_.Write("sys/fs/cgroup/x/memory.max", "4096\n");
  EXPECT_EQ(Read(), 1u << 20);
}

}  // namespace
}  // namespace lwt
