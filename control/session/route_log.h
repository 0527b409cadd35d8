// What the log says of networks that peers announce, the same at both ends.
// Control thread.
#pragma once

#include <string_view>
#include <vector>

#include "control/base/remote_log.h"
#include "control/routing/route_exchange.h"

namespace lwt::peer {

// `peer` is what the log calls it: "hub", "client 10.0.0.2".
void LogAccepted(const std::vector<IpPrefix>& networks, std::string_view peer,
                 loop::RemoteLog& log);
// Of the list judged last, a line for each that is refused.
void LogRefused(const routing::RouteExchange& exchange, std::string_view peer,
                loop::RemoteLog& log);
// Of ours, what the peer does not take.
void LogRefusedBy(const routing::RouteExchange& exchange, std::string_view peer,
                  loop::RemoteLog& log);

}  // namespace lwt::peer
