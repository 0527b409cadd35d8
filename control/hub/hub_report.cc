#include "control/hub/hub_report.h"

#include <algorithm>
#include <map>
#include <utility>

#include "control/session/session_report.h"

namespace lwt::peer {
namespace {

void SayState(const HubSessions::Client& client, uint64_t now_us,
              telemetry::PeerStatus& peer) {
  peer.state = "down";
  if (client.session->sending_lane() == nullptr) {
    peer.reason = "its connection was closed; it may come back";
    return;
  }
  const Liveness::State state = client.liveness->state();
  if (state == Liveness::State::kAlive) {
    peer.state = "up";
    const auto told_us = client.session->twin_told_us();
    if (client.twins.seen(now_us) ||
        (told_us && now_us - *told_us <= TwinWatch::kWithinUs)) {
      peer.reason = "another host has its static key, and they take turns";
    }
    return;
  }
  if (state == Liveness::State::kSuspect) peer.state = "suspect";
  peer.reason = "it does not answer; it may come back";
}

telemetry::PeerStatus ClientPeer(const HubSessions& hub,
                                 const HubSessions::Client& client,
                                 uint64_t now_us) {
  telemetry::PeerStatus peer;
  peer.name = hub.rules().NameOf(client.session->secrets().peer_key);
  for (const IpPrefix& prefix : client.addresses) {
    peer.tunnel_addresses.push_back(ToString(prefix.address));
  }
  peer.endpoint = ToString(client.remote);
  peer.path = "client";
  ReportSession(*client.session, now_us, peer);
  SayState(client, now_us, peer);
  if (client.rtt_us != 0) peer.reading.rtt_us = client.rtt_us;
  ReportRoutes(client.routes,
               hub.NetworksBehind(client.session->secrets().peer_key), peer);
  return peer;
}

using AwayPeers = std::map<handshake::PublicKey, telemetry::PeerStatus>;

telemetry::PeerStatus& AwayPeer(const HubSessions& hub,
                                const handshake::PublicKey& key,
                                AwayPeers& away) {
  const auto [at, added] = away.try_emplace(key);
  telemetry::PeerStatus& peer = at->second;
  if (added) {
    peer.name = hub.rules().NameOf(key);
    peer.public_key = handshake::PublicKeyToText(key);
    peer.path = "client";
    peer.state = hub.rules().Has(key) ? "offline" : "held";
  }
  return peer;
}

void AddAddress(const IpAddress& address, telemetry::PeerStatus& peer) {
  std::string text = ToString(address);
  auto& all = peer.tunnel_addresses;
  if (std::find(all.begin(), all.end(), text) == all.end()) {
    all.push_back(std::move(text));
  }
}

void AddNetworks(const HubSessions& hub, AwayPeers& away) {
  for (const auto& [key, networks] : hub.routes().granted()) {
    for (const IpPrefix& network : networks) {
      AwayPeer(hub, key, away)
          .routes.push_back({.network = ToString(network), .state = "granted"});
    }
  }
  for (const auto& held : hub.routes().All()) {
    if (!held.away) continue;
    AwayPeer(hub, held.key, away)
        .routes.push_back({.network = ToString(held.network), .state = "held"});
  }
}

}  // namespace

void ReportAway(const HubSessions& hub, uint64_t now_us,
                telemetry::Status& status) {
  AwayPeers away;
  for (const handshake::PublicKey& key : hub.rules().Keys()) {
    AwayPeer(hub, key, away);
  }
  for (const auto& [address, key] : hub.rules().reserved()) {
    AddAddress(address, AwayPeer(hub, key, away));
  }
  for (const HeldAddress& held : hub.HeldAddresses(now_us)) {
    AddAddress(held.address, AwayPeer(hub, held.key, away));
  }
  AddNetworks(hub, away);
  for (const auto& client : hub.clients()) {
    if (client.session) away.erase(client.session->secrets().peer_key);
  }
  for (auto& [key, peer] : away) {
    if (status.away.size() == telemetry::Status::kMaxAway) {
      ++status.away_left_out;
    } else {
      status.away.push_back(std::move(peer));
    }
  }
}

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
