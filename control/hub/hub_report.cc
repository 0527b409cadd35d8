#include "control/hub/hub_report.h"

#include "control/session/session_report.h"

namespace lwt::peer {
namespace {

telemetry::PeerStatus ClientPeer(const HubSessions& hub,
                                 const HubSessions::Client& client,
                                 uint64_t now_us) {
  telemetry::PeerStatus peer;
  peer.name = hub.rules().NameOf(client.session->secrets().peer_key);
  for (const IpPrefix& prefix : client.addresses) {
    peer.tunnel_addresses.push_back(ToString(prefix.address));
  }
  peer.endpoint = ToString(client.remote);
  bool up = client.session->sending_lane() != nullptr;
  peer.state = up ? "up" : "down";
  peer.path = "client";
  if (!up) peer.reason = "its connection was closed; it may come back";
  ReportSession(*client.session, now_us, peer);
  if (client.rtt_us != 0) peer.reading.rtt_us = client.rtt_us;
  ReportRoutes(client.routes,
               hub.NetworksBehind(client.session->secrets().peer_key), peer);
  return peer;
}

}  // namespace

void ReportClients(const HubSessions& hub, uint64_t now_us,
                   telemetry::Status& status) {
  for (const auto& client : hub.clients()) {
    if (client.session) status.peers.push_back(ClientPeer(hub, client, now_us));
  }
  for (const auto& held : hub.routes().All()) {
    if (!held.away) continue;
    status.held_routes.push_back(
        {ToString(held.network), handshake::PublicKeyToText(held.key)});
  }
  for (const handshake::PublicKey& key : hub.banned()) {
    status.banned.push_back(handshake::PublicKeyToText(key));
  }
}

}  // namespace lwt::peer
