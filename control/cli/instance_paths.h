// The places that a gateway with these settings would take.
#pragma once

#include "control/config/config.h"
#include "control/host/instance/instance.h"

namespace lwt::cli {

inline host::InstancePaths PathsOf(const config::Config& config) {
  host::InstanceSpec spec;
  spec.mode = config::NameOf(config.mode);
  spec.tunnel_address = config.tunnel.addresses.front().address;
  spec.state_dir = config.host.state_dir;
  spec.run_dir = config.host.run_dir;
  spec.control_socket = config.host.control_socket;
  return host::PathsOf(spec);
}

}  // namespace lwt::cli
