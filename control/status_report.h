// Fills the status that `lwtctl status` shows from counters and sessions.
// Control thread; some microseconds a peer.
#pragma once

#include "control/api/status.h"
#include "control/peer/client_session.h"
#include "control/peer/hub_sessions.h"
#include "control/platform/platform.h"

namespace lwt {

struct StatusSources {
  const config::Config& config;
  const Platform& platform;
  const handshake::PublicKey& public_key;
  uint64_t started_us = 0;
  const peer::ClientSession* client = nullptr;  // of a client
  const peer::HubSessions* hub = nullptr;       // of a server
};

api::Status MakeStatus(const StatusSources& sources);

}  // namespace lwt
