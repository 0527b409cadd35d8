// What a gateway stands on, in the status. Control thread.
#pragma once

#include "control/platform/platform.h"
#include "control/telemetry/status.h"

namespace lwt {

// Ports, workers with their counters and drops, and memory.
void ReportPlatform(const Platform& platform, telemetry::Status& status);

}  // namespace lwt
