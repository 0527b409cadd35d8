#include "control/platform/uplink_plan.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/ports/interface.h"
#include "drivers/ports/joined_uplink.h"

namespace lwt::platform {
namespace {

absl::StatusOr<UplinkPlan> WithoutXdp(absl::StatusOr<MemoryPlan> memory,
                                      std::string why) {
  if (!memory.ok()) return memory.status();
  return UplinkPlan{*std::move(memory), false, std::move(why)};
}

}  // namespace

UplinkDriver DriverOf(config::UplinkDriver driver) {
  switch (driver) {
    case config::UplinkDriver::kAuto:
      return UplinkDriver::kAuto;
    case config::UplinkDriver::kAfPacket:
      return UplinkDriver::kAfPacket;
    case config::UplinkDriver::kAfXdp:
      return UplinkDriver::kAfXdp;
  }
  return UplinkDriver::kAuto;
}

absl::StatusOr<UplinkPlan> PlanUplink(
    UplinkDriver driver, const host::Link& link,
    const std::function<absl::StatusOr<MemoryPlan>(uint32_t xdp_queues)>&
        plan_memory) {
  const bool is_auto = driver == UplinkDriver::kAuto;
  if (driver == UplinkDriver::kAfPacket) return WithoutXdp(plan_memory(0), "");
  if (is_auto && !link.kind.empty()) {
    return WithoutXdp(plan_memory(0),
                      absl::StrCat("no zero-copy AF_XDP on a virtual link (",
                                   link.kind, ")"));
  }
  const absl::StatusOr<Interface> interface = ReadInterface(link.name);
  if (!interface.ok()) return interface.status();
  absl::StatusOr<MemoryPlan> memory = plan_memory(interface->rx_queues);
  if (is_auto && (!memory.ok() || !memory->use_hugepages)) {
    return WithoutXdp(plan_memory(0),
                      "zero-copy AF_XDP needs hugepages, which are not in use");
  }
  if (!memory.ok()) return memory.status();
  return UplinkPlan{*std::move(memory), true, ""};
}

bool ServesAll(const config::Config& config) {
  return config.mode == config::Mode::kServer &&
         config.uplink.interface.empty() &&
         config.uplink.driver != config::UplinkDriver::kAfXdp;
}

uint32_t OtherUplinksWithMemory(size_t others) {
  constexpr size_t kLater = 4;
  return static_cast<uint32_t>(
      std::min(others + kLater, JoinedUplink::kMost - 1));
}

}  // namespace lwt::platform
