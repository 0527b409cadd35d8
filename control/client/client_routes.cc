#include "control/client/client_routes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/session/route_log.h"

namespace lwt::peer {

using handshake::RoutesMessage;
using routing::RouteCode;

bool ClientRoutes::OnSession(const Session& session) {
  const bool understood = RoutesMessage::kUnderstoodBy(session.secrets().peer);
  exchange_ = routing::RouteExchange(understood);
  exchange_.Announce(settings_.own);
  // What is accepted stays until the hub's list comes; one that cannot send any
  // has none.
  if (understood || accepted_.empty()) return false;
  accepted_.clear();
  return true;
}

void ClientRoutes::OnAnswer(const handshake::RoutesAnswer& answer,
                            loop::RemoteLog& log) {
  if (exchange_.OnAnswer(answer)) LogRefusedBy(exchange_, "hub", log);
}

bool ClientRoutes::OnTimer(Session& session, std::span<const IpPrefix> here,
                           loop::RemoteLog& log, uint64_t now_us) {
  if (const auto announcement = exchange_.TakeAnnouncement(now_us)) {
    session.Send(*announcement);
  }
  if (exchange_.TakeList(now_us) == nullptr) return false;
  return Judge(session, here, log);
}

bool ClientRoutes::Apply(config::RoutingConfig settings, Session* session,
                         std::span<const IpPrefix> here, loop::RemoteLog& log) {
  settings_ = std::move(settings);
  exchange_.Announce(settings_.own);
  if (session != nullptr && exchange_.list().version != 0) {
    return Judge(*session, here, log);
  }
  // No list is there to be judged. What was taken of the one before goes where
  // the settings no longer take it.
  const routing::Underlay nowhere;
  const routing::Surroundings around{tunnel_, nowhere, {}, settings_.own};
  return std::erase_if(accepted_, [&](const IpPrefix& network) {
           return CodeOf(network, around).has_value();
         }) > 0;
}

bool ClientRoutes::GiveWay(std::span<const Endpoint> hubs) {
  called_.clear();
  for (const Endpoint& hub : hubs) called_.push_back(hub.address);
  const auto carries = [&](const IpPrefix& network) {
    return std::any_of(
        called_.begin(), called_.end(),
        [&](const IpAddress& hub) { return network.Contains(hub); });
  };
  return std::erase_if(accepted_, carries) > 0;
}

bool ClientRoutes::JudgeAgain(Session& session, std::span<const IpPrefix> here,
                              loop::RemoteLog& log) {
  return exchange_.list().version != 0 && Judge(session, here, log);
}

bool ClientRoutes::Judge(Session& session, std::span<const IpPrefix> here,
                         loop::RemoteLog& log) {
  routing::Underlay hubs;
  for (const IpAddress& address : called_) hubs.Add(address);
  for (const SessionLane& lane : session.lanes()) {
    hubs.Add(lane.remote.address);
  }
  const routing::Surroundings around{tunnel_, hubs, here, settings_.own};
  std::vector<std::optional<RouteCode>> codes;
  std::vector<IpPrefix> accepted;
  std::set<std::pair<Family, uint8_t>> lengths;
  for (const IpPrefix& network : exchange_.list().networks) {
    std::optional<RouteCode> code = CodeOf(network, around);
    const Family family = network.address.family;
    const std::pair length(family, network.length);
    const auto of_family =
        std::count_if(lengths.begin(), lengths.end(),
                      [&](const auto& each) { return each.first == family; });
    if (!code && !lengths.contains(length) &&
        static_cast<size_t>(of_family) >= kMostLengths) {
      code = RouteCode::kTooMany;
    }
    codes.push_back(code);
    if (code) continue;
    lengths.insert(length);
    accepted.push_back(network);
  }
  if (codes == exchange_.codes() && exchange_.judged() &&
      accepted == accepted_) {
    return false;
  }
  const bool said = codes == exchange_.codes();
  session.Send(exchange_.Judged(std::move(codes)));
  const bool changed = accepted != accepted_;
  accepted_ = std::move(accepted);
  if (changed) LogAccepted(accepted_, "hub", log);
  if (!said) LogRefused(exchange_, "hub", log);
  return changed;
}

std::optional<RouteCode> ClientRoutes::CodeOf(
    const IpPrefix& network, const routing::Surroundings& around) const {
  if (const auto code = routing::Forbidden(network, around)) return code;
  if (!routing::Accepts(settings_.accept, network)) {
    return RouteCode::kNotAccepted;
  }
  return std::nullopt;
}

}  // namespace lwt::peer
