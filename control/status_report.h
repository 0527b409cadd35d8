// Fills the status that `lwtctl status` shows from counters and sessions.
// Control thread; some microseconds a peer.
#pragma once

#include "control/client/client_session.h"
#include "control/hub/hub_sessions.h"
#include "control/platform/platform.h"
#include "control/telemetry/status.h"

namespace lwt {

struct StatusSources {
  const config::Config& config;
  const Platform& platform;
  const handshake::PublicKey& public_key;
  uint64_t started_us = 0;
};

// All but the peers.
telemetry::Status MakeStatus(const StatusSources& sources);

// A client's peer, the hub; and a hub's, with the keys that are banned.
void ReportHub(const peer::ClientSession& client, const config::Config& config,
               uint64_t now_us, telemetry::Status& status);
void ReportClients(const peer::HubSessions& hub, uint64_t now_us,
                   telemetry::Status& status);

}  // namespace lwt
