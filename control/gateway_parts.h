// What the components of a gateway are made from. All of it outlives them.
#pragma once

#include <memory>

#include "control/base/log.h"
#include "control/config/config.h"
#include "control/handshake/key_ring.h"
#include "control/handshake/rekey.h"
#include "control/handshake/static_key.h"
#include "control/host/instance/name_helper.h"
#include "control/loop/background.h"
#include "control/loop/event_loop.h"
#include "control/name_lookups.h"
#include "control/outer_side.h"
#include "control/platform/platform.h"
#include "control/rotation/key_store.h"
#include "control/session/worker_road.h"

namespace lwt {

struct Secrets {
  handshake::KeyRing keys;
  handshake::StaticKey identity;
  // Where the shared key is kept; read and written by work in the background.
  std::shared_ptr<rotation::KeySource> key_source =
      std::make_shared<rotation::KeySource>();
};

struct GatewayParts {
  const config::Config& config;
  const loop::Log& log;
  loop::EventLoop& loop;
  NameLookups& names;
  Platform& platform;
  peer::WorkerRoad& road;
  OuterSide& outer;
  Secrets& secrets;
  loop::Background& background;
  host::NameHelper* name_helper = nullptr;  // of a client; null: there is none

  handshake::RekeyConfig Rekey() const {
    handshake::RekeyConfig rekey;
    rekey.interval_us = uint64_t{config.rekey.seconds} * 1'000'000;
    rekey.max_records = config.rekey.records;
    return rekey;
  }
};

}  // namespace lwt
