#include "control/platform/worker_plan.h"

#include <gtest/gtest.h>

namespace lwt::platform {
namespace {

config::Config Of(config::Mode mode) {
  config::Config config;
  config.mode = mode;
  return config;
}

TEST(WorkerPlanTest, AClientHasOneWorker) {
  EXPECT_EQ(WorkersWanted(Of(config::Mode::kClient), 16), 1u);
}

TEST(WorkerPlanTest, AHubHasOneForEachCpuButTheFirst) {
  const config::Config hub = Of(config::Mode::kServer);
  EXPECT_EQ(WorkersWanted(hub, 1), 1u);
  EXPECT_EQ(WorkersWanted(hub, 2), 1u);
  EXPECT_EQ(WorkersWanted(hub, 3), 2u);
  EXPECT_EQ(WorkersWanted(hub, 9), 8u);
  EXPECT_EQ(WorkersWanted(hub, 64), 8u);
}

TEST(WorkerPlanTest, TheSettingDecides) {
  config::Config hub = Of(config::Mode::kServer);
  hub.workers.count = 3;
  EXPECT_EQ(WorkersWanted(hub, 2), 3u);
}

TEST(WorkerPlanTest, WorkersArePinnedWhereCpusAreManyOrTheyNeverSleep) {
  config::Config config = Of(config::Mode::kServer);
  EXPECT_FALSE(PinsWorkers(config, 2));
  EXPECT_TRUE(PinsWorkers(config, 4));
  config.workers.idle = config::Idle::kBusy;
  EXPECT_TRUE(PinsWorkers(config, 2));
  config.workers.pinning = config::Pinning::kOff;
  EXPECT_FALSE(PinsWorkers(config, 8));
}

TEST(WorkerPlanTest, FewerThanPlannedKeepOffTheControlCpu) {
  WorkerPlan plan;
  plan.allowed = {0, 1, 2};
  plan.cpus.control = 0;
  plan.cpus.workers = {0, 1, 2};
  plan.pinned = true;
  EXPECT_EQ(plan.CpusOf(0, 3), CpuList{0});
  EXPECT_EQ(plan.CpusOf(0, 2), CpuList{1});
  EXPECT_EQ(plan.CpusOf(1, 2), CpuList{2});
  plan.pinned = false;
  EXPECT_EQ(plan.CpusOf(1, 2), plan.allowed);
}

TEST(WorkerPlanTest, APlanIsMadeForTheseCpus) {
  config::Config config = Of(config::Mode::kClient);
  const auto plan = PlanWorkers(config);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->count(), 1u);
  config.workers.count = 10'000;
  EXPECT_FALSE(PlanWorkers(config).ok());
}

}  // namespace
}  // namespace lwt::platform
