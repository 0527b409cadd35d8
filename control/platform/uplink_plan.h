// Whether AF_XDP is tried on an interface, and the packet memory that follows
// from it: EAL takes its memory before the port is opened. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/host/net/netlink_types.h"
#include "drivers/memory_mode.h"
#include "drivers/ports/uplink.h"

namespace lwt::platform {

UplinkDriver DriverOf(config::UplinkDriver driver);

struct UplinkPlan {
  MemoryPlan memory;
  bool may_use_xdp = false;
  std::string no_xdp;  // why `auto` does not try it
};

// `plan_memory` says where the memory for so many queues of AF_XDP comes from.
// `auto` takes AF_XDP only without a copy, which a virtual link does not offer
// and which needs hugepages.
absl::StatusOr<UplinkPlan> PlanUplink(
    UplinkDriver driver, const host::Link& link,
    const std::function<absl::StatusOr<MemoryPlan>(uint32_t xdp_queues)>&
        plan_memory);

// A hub is reached by every interface, as a kernel's listener is, unless the
// settings name one.
bool ServesAll(const config::Config& config);
// Of how many interfaces besides the first, of which a host has `others`, there
// is memory: some may come later.
uint32_t OtherUplinksWithMemory(size_t others);

}  // namespace lwt::platform
