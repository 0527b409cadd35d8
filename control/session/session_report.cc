#include "control/session/session_report.h"

#include <algorithm>
#include <optional>
#include <string>

#include "control/routing/route_rules.h"

namespace lwt::peer {
namespace {

telemetry::LaneStatus LaneOf(const Session& session, const SessionLane& lane) {
  const auto sending = session.SendingLanes();
  telemetry::LaneStatus status;
  status.slot = lane.slot.value;
  status.worker = lane.name.worker.value;
  status.local = ToString(lane.local);
  status.remote = ToString(lane.remote);
  status.sending =
      std::find(sending.begin(), sending.end(), &lane) != sending.end();
  status.reading = session.ReadingOf(lane);
  return status;
}

telemetry::RouteStatus RouteOf(const IpPrefix& network, bool ours,
                               std::string_view state,
                               std::optional<routing::RouteCode> code = {}) {
  telemetry::RouteStatus route{
      .network = ToString(network), .ours = ours, .state = std::string(state)};
  if (code) {
    route.code = static_cast<uint32_t>(*code);
    route.reason = routing::Why(*code);
  }
  return route;
}

}  // namespace

void ReportSession(const Session& session, uint64_t now_us,
                   telemetry::PeerStatus& peer) {
  peer.public_key = handshake::PublicKeyToText(session.secrets().peer_key);
  peer.protocol = session.secrets().peer.version;
  peer.features = handshake::FeatureNames(session.secrets().peer.features);
  if (session.about()) {
    peer.version = session.about()->version;
    peer.features = handshake::FeatureNames(session.about()->features);
  }
  peer.totals = session.Totals();
  peer.reading.last_handshake_s =
      telemetry::SecondsSince(session.created_us(), now_us);
  peer.reading.last_heard_s =
      telemetry::SecondsSince(session.LastActivity().heard_us, now_us);
  peer.reading.mtu = session.inner_mtu();
  peer.reading.lanes = session.lanes().size();
  peer.reading.epoch = session.send_epoch();
  peer.reading.rx_epochs = session.receive_epochs();
  peer.reading.tx_epochs = session.send_epochs();
  // Of its own; where there is none, that of all is said by who has it.
  const PeerTuning& own = session.tuning();
  if (own.rate) peer.reading.rate = *own.rate * 8;
  if (own.rate_in) peer.reading.rate_in = *own.rate_in * 8;
  if (peer.totals.srtt_us != 0) peer.reading.rtt_us = peer.totals.srtt_us;
  for (const SessionLane& lane : session.lanes()) {
    peer.lane_list.push_back(LaneOf(session, lane));
  }
}

void ReportRoutes(const routing::RouteExchange& exchange,
                  const std::vector<IpPrefix>& accepted,
                  telemetry::PeerStatus& peer) {
  for (const IpPrefix& network : accepted) {
    peer.routes.push_back(RouteOf(network, false, "accepted"));
  }
  for (size_t i = 0; i < exchange.codes().size(); ++i) {
    const auto code = exchange.codes()[i];
    if (!code) continue;
    peer.routes.push_back(
        RouteOf(exchange.list().networks[i], false, "refused", code));
  }
  for (size_t i = 0; i < exchange.announced().size(); ++i) {
    const auto code = exchange.RefusedBy(i);
    const std::string_view state = !exchange.answered() ? "sent"
                                   : code               ? "refused"
                                                        : "accepted";
    peer.routes.push_back(RouteOf(exchange.announced()[i], true, state, code));
  }
  peer.reading.route_lists = exchange.lists();
  peer.reading.route_lists_overtaken = exchange.overtaken();
}

}  // namespace lwt::peer
