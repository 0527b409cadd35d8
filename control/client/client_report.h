// A client's peer, the hub, in the status. Control thread.
#pragma once

#include <cstdint>

#include "control/client/client_session.h"
#include "control/config/config.h"
#include "control/telemetry/status.h"

namespace lwt::peer {

void ReportHub(const ClientSession& client, const config::Config& config,
               uint64_t now_us, telemetry::Status& status);

}  // namespace lwt::peer
