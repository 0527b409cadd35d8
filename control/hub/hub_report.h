// A hub's peers, its clients, in the status. Control thread; some microseconds
// a client.
#pragma once

#include <cstdint>

#include "control/hub/hub_sessions.h"
#include "control/telemetry/status.h"

namespace lwt::peer {

// With the keys that are banned.
void ReportClients(const HubSessions& hub, uint64_t now_us,
                   telemetry::Status& status);

// Those that are known and not here, by their keys. Some microseconds for each
// address that is held.
void ReportAway(const HubSessions& hub, uint64_t now_us,
                telemetry::Status& status);

}  // namespace lwt::peer
