#include "control/client/client_report.h"

#include <utility>

#include "control/session/session_report.h"

namespace lwt::peer {

void ReportHub(const ClientSession& client, const config::Config& config,
               uint64_t now_us, telemetry::Status& status) {
  telemetry::PeerStatus peer;
  if (config.tunnel.leased) {
    for (const IpPrefix& own : client.tunnel_addresses()) {
      status.tunnel.addresses.push_back(ToString(own));
    }
  }
  for (const IpPrefix& prefix : client.tunnel_addresses()) {
    peer.tunnel_addresses.push_back(
        ToString(IpPrefix{prefix.Network(), prefix.length}));
  }
  if (client.remote()) peer.endpoint = ToString(*client.remote());
  peer.state = client.state();
  peer.path = "hub";
  peer.hub = client.hub().Name();
  if (client.session() != nullptr && client.hubs().several()) {
    peer.hub_reason = client.hubs().failures();
  }
  peer.reason = client.reason();
  if (client.session() != nullptr) {
    ReportSession(*client.session(), now_us, peer);
    if (client.rtt_us() != 0) peer.reading.rtt_us = client.rtt_us();
  }
  ReportRoutes(client.routes().exchange(), client.routes().accepted(), peer);
  status.peers.push_back(std::move(peer));
}

}  // namespace lwt::peer
