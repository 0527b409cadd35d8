#include "control/session/route_log.h"

#include <string>

#include "control/routing/route_rules.h"

namespace lwt::peer {

using loop::Cause;

void LogAccepted(const std::vector<IpPrefix>& networks, std::string_view peer,
                 loop::RemoteLog& log) {
  std::string text;
  for (const IpPrefix& network : networks) {
    text += (text.empty() ? "" : ", ") + ToString(network);
  }
  log.Tell(loop::LogLevel::kInfo, Cause::Peer(peer), loop::EventKind::kRoute,
           peer, ": networks behind it: ", text.empty() ? "none" : text);
}

void LogRefused(const routing::RouteExchange& exchange, std::string_view peer,
                loop::RemoteLog& log) {
  const std::vector<IpPrefix>& networks = exchange.list().networks;
  for (size_t i = 0; i < exchange.codes().size(); ++i) {
    if (!exchange.codes()[i]) continue;
    log.Tell(loop::LogLevel::kWarn, Cause::Peer(peer), loop::EventKind::kRoute,
             peer, ": ", ToString(networks[i]),
             " is not accepted: ", routing::Why(*exchange.codes()[i]));
  }
}

void LogRefusedBy(const routing::RouteExchange& exchange, std::string_view peer,
                  loop::RemoteLog& log) {
  for (size_t i = 0; i < exchange.announced().size(); ++i) {
    const auto code = exchange.RefusedBy(i);
    if (!code) continue;
    log.Tell(loop::LogLevel::kWarn, Cause::Peer(peer), loop::EventKind::kRoute,
             ToString(exchange.announced()[i]), " was not accepted by the ",
             peer, ": ", routing::Why(*code));
  }
}

}  // namespace lwt::peer
