// What there is to report of a session, for whichever end it is one of.
// Control thread.
#pragma once

#include <cstdint>
#include <vector>

#include "control/routing/route_exchange.h"
#include "control/session/session.h"
#include "control/telemetry/status.h"

namespace lwt::peer {

// Key, totals, readings and lanes; which peer it is tells who has the session.
void ReportSession(const Session& session, uint64_t now_us,
                   telemetry::PeerStatus& peer);

// Networks behind the peer, those in `accepted`, and behind us.
void ReportRoutes(const routing::RouteExchange& exchange,
                  const std::vector<IpPrefix>& accepted,
                  telemetry::PeerStatus& peer);

}  // namespace lwt::peer
