// The workers as a step of its own: started on ports that are there, moved to
// others, stopped.
#include <gtest/gtest.h>
#include <sched.h>

#include <ctime>
#include <string>
#include <vector>

#include "control/platform/worker_set.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/platform/steps.h"

namespace lwt::platform {
namespace {

class WorkerSetTest : public StepsTest {
 protected:
  void SetUp() override {
    StepsTest::SetUp();
    host::Shell(
        "ip link add spare type veth peer name other && ip link set spare up "
        "&& ip link set other up");
    place_ = Claim();
    TunnelDevice::Spec spec = Tunnel(config::TunnelPort::kOffload);
    spec.queues = 2;
    auto tunnel = TunnelDevice::Open(spec, *netlink_);
    ASSERT_TRUE(tunnel.ok()) << tunnel.status();
    tunnel_ = *std::move(tunnel);
  }
  std::unique_ptr<UplinkAttachment> AttachTo(const char* name, uint16_t ports) {
    UplinkSpec spec;
    spec.ports = ports;
    spec.jumbo_pool = memory_->jumbo().get();
    spec.small_pool = memory_->small().get();
    spec.no_xdp = "not in this test";
    auto attachment =
        UplinkAttachment::Open(*host::UplinkByName(*netlink_, name), spec,
                               /*may_use_xdp=*/false, *place_, kLog);
    EXPECT_TRUE(attachment.ok()) << attachment.status();
    return *std::move(attachment);
  }
  // `wanted` workers on the uplink's ports, pinned to CPU 0.
  absl::StatusOr<std::unique_ptr<WorkerSet>> Start(UplinkAttachment& uplink,
                                                   uint32_t wanted,
                                                   bool pinned = false) {
    WorkerPlan plan;
    plan.pinned = pinned;
    plan.allowed = {0};
    plan.cpus.workers.assign(wanted, 0);
    WorkerOptions options;
    options.pool = memory_->small().get();
    options.max_lanes = 4;
    options.arena_bytes = 1 << 20;
    std::vector<WorkerSet::Inside> inside(uplink.port().port_count());
    for (uint16_t i = 0; i < inside.size(); ++i) {
      inside[i].tunnel = &tunnel_->port(i);
    }
    return WorkerSet::Start(plan, options, uplink.port(), inside, lines_.log());
  }
  static bool Settles(WorkerSet& set) {
    const time_t end = time(nullptr) + 10;
    while (!set.EndSwap()) {
      if (time(nullptr) > end) return false;
      sched_yield();  // the workers' turn
    }
    return true;
  }

  loop::LogLines lines_;
  std::unique_ptr<HostPlace> place_;
  std::unique_ptr<TunnelDevice> tunnel_;
};

TEST_F(WorkerSetTest, AsManyRunAsThereArePorts) {
  const auto uplink = AttachTo("wire", 2);
  const auto set = Start(*uplink, 2);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->workers().size(), 2u);
  const std::string said = lines_.Take();
  EXPECT_NE(said.find("2 workers on CPUs 0, placed by the system"),
            std::string::npos)
      << said;
}

TEST_F(WorkerSetTest, APortTooFewIsAWarning) {
  const auto uplink = AttachTo("wire", 1);
  const auto set = Start(*uplink, 2, /*pinned=*/true);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ((*set)->workers().size(), 1u);
  EXPECT_EQ((*set)->workers()[0]->cpus(), std::vector<int>{0});
  const std::string said = lines_.Take();
  EXPECT_NE(said.find("2 workers are wanted, but wire has 1 queue; running "
                      "with 1"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("worker pinned to CPU 0"), std::string::npos) << said;
}

TEST_F(WorkerSetTest, ASwapIsOverOnceNoWorkerUsesThePortsBefore) {
  const auto wire = AttachTo("wire", 2);
  const auto spare = AttachTo("spare", 2);
  const auto set = Start(*wire, 2);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE((*set)->EndSwap()) << "none is under way";
  ASSERT_TRUE((*set)->BeginSwap(spare->port()).ok());
  ASSERT_TRUE(Settles(**set));
  EXPECT_TRUE((*set)->EndSwap());
  ASSERT_TRUE((*set)->BeginSwap(wire->port()).ok()) << "and back";
  ASSERT_TRUE(Settles(**set));
}

TEST_F(WorkerSetTest, OneSwapAtATime) {
  const auto wire = AttachTo("wire", 1);
  const auto spare = AttachTo("spare", 1);
  const auto set = Start(*wire, 1);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_TRUE((*set)->BeginSwap(spare->port()).ok());
  EXPECT_TRUE(absl::IsUnavailable((*set)->BeginSwap(wire->port())))
      << "until EndSwap has said that the one before is over";
  ASSERT_TRUE(Settles(**set));
}

TEST_F(WorkerSetTest, AnUplinkWithTooFewPortsChangesNothing) {
  const auto wire = AttachTo("wire", 2);
  const auto spare = AttachTo("spare", 1);
  const auto set = Start(*wire, 2);
  ASSERT_TRUE(set.ok()) << set.status();
  const absl::Status refused = (*set)->BeginSwap(spare->port());
  EXPECT_EQ(refused.message(),
            "spare has 1 queues for 2 workers; set workers = 1");
  EXPECT_TRUE((*set)->EndSwap()) << "nothing is under way";
  // And nobody watches the ports that were refused: they may go.
}

}  // namespace
}  // namespace lwt::platform
