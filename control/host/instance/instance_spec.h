// The place on the host that a gateway with these settings takes.
#pragma once

#include "control/config/config.h"
#include "control/config/values.h"
#include "control/host/instance/instance.h"

namespace lwt::host {

inline InstanceSpec SpecOf(const config::Config& config) {
  InstanceSpec spec;
  spec.mode = config::NameOf(config.mode);
  if (config.tunnel.leased) {
    spec.hub = config::ToText(config.client.HubAddresses().front());
  } else {
    spec.tunnel_address = config.tunnel.addresses.front().address;
  }
  spec.state_dir = config.host.state_dir;
  spec.run_dir = config.host.run_dir;
  spec.control_socket = config.host.control_socket;
  return spec;
}

inline InstancePaths PathsOf(const config::Config& config) {
  return PathsOf(SpecOf(config));
}

}  // namespace lwt::host
