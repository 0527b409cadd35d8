#include "control/platform/uplink_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "drivers/ports/joined_uplink.h"

namespace lwt::platform {
namespace {

// Plans memory as a host would, and notes for how many queues it was asked.
class FakeMemory {
 public:
  explicit FakeMemory(bool hugepages) : hugepages_(hugepages) {}

  absl::StatusOr<MemoryPlan> Plan(uint32_t xdp_queues) {
    asked_.push_back(xdp_queues);
    if (fails_with_xdp_ && xdp_queues > 0) {
      return absl::ResourceExhaustedError("too few hugepages");
    }
    MemoryPlan plan;
    plan.use_hugepages = hugepages_;
    return plan;
  }
  absl::StatusOr<UplinkPlan> PlanUplink(UplinkDriver driver,
                                        const host::Link& link) {
    return platform::PlanUplink(
        driver, link, [this](uint32_t queues) { return Plan(queues); });
  }
  void FailWithXdp() { fails_with_xdp_ = true; }
  const std::vector<uint32_t>& asked() const { return asked_; }

 private:
  const bool hugepages_;
  bool fails_with_xdp_ = false;
  std::vector<uint32_t> asked_;
};

// The one interface that every network namespace has: for the kernel it is of
// no kind, as hardware is.
host::Link Hardware() {
  host::Link link;
  link.name = "lo";
  return link;
}

host::Link Virtual() {
  host::Link link;
  link.name = "eth0";
  link.kind = "veth";
  return link;
}

TEST(UplinkPlanTest, APacketSocketNeedsNoMemoryOfItsOwn) {
  FakeMemory memory(/*hugepages=*/true);
  const auto plan = memory.PlanUplink(UplinkDriver::kAfPacket, Hardware());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->may_use_xdp);
  EXPECT_EQ(memory.asked(), std::vector<uint32_t>{0});
}

TEST(UplinkPlanTest, AutoLeavesVirtualLinksToThePacketSocket) {
  FakeMemory memory(/*hugepages=*/true);
  const auto plan = memory.PlanUplink(UplinkDriver::kAuto, Virtual());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->may_use_xdp);
  EXPECT_NE(plan->no_xdp.find("(veth)"), std::string::npos) << plan->no_xdp;
  EXPECT_EQ(memory.asked(), std::vector<uint32_t>{0});
}

TEST(UplinkPlanTest, AutoTriesXdpOnHardwareWithHugepages) {
  FakeMemory memory(/*hugepages=*/true);
  const auto plan = memory.PlanUplink(UplinkDriver::kAuto, Hardware());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->may_use_xdp);
  EXPECT_TRUE(plan->no_xdp.empty());
  ASSERT_EQ(memory.asked().size(), 1u);
  EXPECT_GE(memory.asked().front(), 1u);
}

TEST(UplinkPlanTest, AutoDoesNotTryXdpWithoutHugepages) {
  FakeMemory memory(/*hugepages=*/false);
  const auto plan = memory.PlanUplink(UplinkDriver::kAuto, Hardware());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->may_use_xdp);
  EXPECT_NE(plan->no_xdp.find("hugepages"), std::string::npos);
  EXPECT_EQ(memory.asked().back(), 0u);
}

TEST(UplinkPlanTest, AutoFallsBackWhereXdpNeedsMoreMemoryThanThereIs) {
  FakeMemory memory(/*hugepages=*/true);
  memory.FailWithXdp();
  const auto plan = memory.PlanUplink(UplinkDriver::kAuto, Hardware());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->may_use_xdp);
}

TEST(UplinkPlanTest, XdpThatWasAskedForIsTriedAnywhere) {
  FakeMemory memory(/*hugepages=*/false);
  host::Link link = Hardware();
  link.kind = "veth";
  const auto plan = memory.PlanUplink(UplinkDriver::kAfXdp, link);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->may_use_xdp);
}

TEST(UplinkPlanTest, XdpThatWasAskedForFailsForWantOfMemory) {
  FakeMemory memory(/*hugepages=*/true);
  memory.FailWithXdp();
  EXPECT_TRUE(absl::IsResourceExhausted(
      memory.PlanUplink(UplinkDriver::kAfXdp, Hardware()).status()));
}

TEST(OtherUplinksTest, ThereIsMemoryForSomeThatComeLater) {
  EXPECT_EQ(OtherUplinksWithMemory(0), 4u);
  EXPECT_EQ(OtherUplinksWithMemory(2), 6u);
  EXPECT_EQ(OtherUplinksWithMemory(100), JoinedUplink::kMost - 1);
}

TEST(OtherUplinksTest, AHubWithoutAnInterfaceOfItsOwnServesAll) {
  config::Config config;
  config.mode = config::Mode::kServer;
  EXPECT_TRUE(ServesAll(config));
  config.uplink.driver = config::UplinkDriver::kAfXdp;
  EXPECT_FALSE(ServesAll(config));
  config.uplink.driver = config::UplinkDriver::kAfPacket;
  config.uplink.interface = "eth0";
  EXPECT_FALSE(ServesAll(config));
  config.uplink.interface.clear();
  config.mode = config::Mode::kClient;
  EXPECT_FALSE(ServesAll(config));
}

}  // namespace
}  // namespace lwt::platform
