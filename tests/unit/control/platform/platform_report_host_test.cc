// What `lwtctl status` shows of a platform that runs, against what the kernel
// says of the same things.
#include <gtest/gtest.h>

#include "control/platform/platform_report.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

class PlatformReportTest : public OnStand {
 protected:
  telemetry::Status Status() {
    telemetry::Status status;
    ReportPlatform(platform(), status);
    return status;
  }
};

TEST_F(PlatformReportTest, DevicesAreThoseOfTheKernel) {
  const telemetry::Status status = Status();
  EXPECT_EQ(status.uplink.device, "wire");
  EXPECT_EQ(status.uplink.driver, "af_packet");
  EXPECT_FALSE(status.uplink.reason.empty());
  EXPECT_TRUE(status.uplink.up);
  EXPECT_EQ(status.uplink.reading.link_mtu, 1500u);
  EXPECT_EQ(status.tunnel.device, "lwt7");
  EXPECT_TRUE(status.lan.device.empty()) << "no LAN port";
  const std::string shown = host::OutputOf("ip link show dev lwt7");
  EXPECT_NE(shown.find("mtu " + std::to_string(status.tunnel.reading.mtu)),
            std::string::npos)
      << shown;
}

TEST_F(PlatformReportTest, ALinkThatFellIsShownDown) {
  host::Shell("ip link set wire mtu 1400");
  ASSERT_TRUE(Until([&] { return Status().uplink.reading.link_mtu == 1400; }));
  host::Shell("ip link set wire down");
  ASSERT_TRUE(Until([&] { return !Status().uplink.up; }));
  host::Shell("ip link set wire mtu 1500 && ip link set wire up");
  ASSERT_TRUE(Until([&] {
    return Status().uplink.up && Status().uplink.reading.link_mtu == 1500;
  }));
  host::WaitUntilLinkIsUp("wire");
}

TEST_F(PlatformReportTest, EachWorkerAndEachPoolIsThere) {
  const telemetry::Status status = Status();
  ASSERT_EQ(status.workers.size(), 2u);
  for (const auto& worker : status.workers) EXPECT_FALSE(worker.cpus.empty());
  EXPECT_EQ(status.drops.values.size(), kDropReasonCount);
  ASSERT_EQ(status.pools.size(), 2u);
  EXPECT_EQ(status.pools[0].name, "small");
  EXPECT_EQ(status.pools[1].name, "jumbo");
  for (const auto& pool : status.pools) {
    EXPECT_GT(pool.reading.buffers, 0u);
    EXPECT_LE(pool.reading.in_use, pool.reading.buffers);
  }
  std::vector<std::string> sources;
  for (const auto& group : status.counters) sources.push_back(group.source);
  EXPECT_EQ(sources, (std::vector<std::string>{"", "uplink", "tunnel"}));
}

// Both printers take it, whatever is in it.
TEST_F(PlatformReportTest, ItIsPrinted) {
  telemetry::Status status = Status();
  status.uplink.reason = "\x1b[31m\"quotes\"\n";
  const std::string json = telemetry::ToJson(status);
  EXPECT_EQ(json.find('\x1b'), std::string::npos);
  EXPECT_EQ(json.back(), '\n');
  EXPECT_NE(telemetry::ToTable(status).find("lwt7"), std::string::npos);
}

}  // namespace
}  // namespace lwt
