#include "control/session/session_report.h"

#include <algorithm>

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
  peer.reading.mtu = session.inner_mtu();
  peer.reading.lanes = session.lanes().size();
  peer.reading.epoch = session.send_epoch();
  peer.reading.rx_epochs = session.receive_epochs();
  peer.reading.tx_epochs = session.send_epochs();
  if (peer.totals.srtt_us != 0) peer.reading.rtt_us = peer.totals.srtt_us;
  for (const SessionLane& lane : session.lanes()) {
    peer.lane_list.push_back(LaneOf(session, lane));
  }
}

}  // namespace lwt::peer
