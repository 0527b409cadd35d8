// EAL, two hosts and the steps of a platform, for tests that take one step by
// itself.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "control/platform/host_place.h"
#include "control/platform/packet_memory.h"
#include "control/platform/tunnel_device.h"
#include "control/platform/uplink_attachment.h"
#include "tests/unit/control/host/netns.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::platform {

inline const loop::Log kLog{loop::LogLevel::kError};

// Once in the process, as in a gateway.
struct EalOfTests : testing::Environment {
  void SetUp() override {
    MemoryPlan plan;
    plan.megabytes = 64;
    auto started = PacketMemory::Start(
        plan, {.workers = 1, .arena_bytes = 1u << 20}, 0, "", kLog);
    ASSERT_TRUE(started.ok()) << started.status();
    memory = *std::move(started);
  }
  void TearDown() override { memory.reset(); }

  static inline std::unique_ptr<PacketMemory> memory;
};

[[maybe_unused]] inline const auto* const kEal =
    testing::AddGlobalTestEnvironment(new EalOfTests);

class StepsTest : public host::TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *host::Netlink::Open();
  }

  host::InstanceSpec Spec() const {
    host::InstanceSpec spec;
    spec.mode = "server";
    spec.tunnel_address = host::Ip("10.0.0.1");
    spec.state_root = scratch_.path() + "/state";
    spec.run_root = scratch_.path() + "/run";
    return spec;
  }
  std::unique_ptr<HostPlace> Claim() {
    auto place = HostPlace::Claim(Spec(), kLog);
    EXPECT_TRUE(place.ok()) << place.status();
    return *std::move(place);
  }
  TunnelDevice::Spec Tunnel(config::TunnelPort driver) const {
    return {.name = "lwt7",
            .driver = driver,
            .mtu =
                [] {
                  return host::TunnelMtu::Bounds{
                      .least = 1280, .most = 1409, .alone = 1371};
                },
            .small_pool = memory_->small().get(),
            .jumbo_pool = memory_->jumbo().get(),
            .addresses = {ParseIpPrefix("10.0.0.1/24").value()},
            .networks = {ParseIpPrefix("192.0.2.0/24").value()}};
  }
  absl::StatusOr<std::unique_ptr<UplinkAttachment>> Attach(
      HostPlace& place, const loop::Log& log = kLog, uint8_t leg = 0) {
    UplinkSpec spec;
    spec.leg = leg;
    spec.frames = kOtherUplinkFrames;
    spec.jumbo_pool = memory_->jumbo().get();
    spec.small_pool = memory_->small().get();
    spec.no_xdp = "not in this test";
    return UplinkAttachment::Open(*host::UplinkByName(*netlink_, "wire"), spec,
                                  /*may_use_xdp=*/false, place, log);
  }

  const std::unique_ptr<PacketMemory>& memory_ = EalOfTests::memory;
  host::ScratchDir scratch_;
  std::optional<host::InNetns> in_;
  std::unique_ptr<host::Netlink> netlink_;
};

}  // namespace lwt::platform
