// pubkey: the public key of this host's gateway, for an entry [[peer]] or
// [[hub]] of the other side.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "control/config/command_line.h"
#include "control/host/instance/instance.h"

namespace lwt::cli {

// The key and a line feed, of the gateway with these settings. Where they do
// not tell which one is meant, those of all below `state_root`, each behind the
// name of its folder where there are several.
absl::StatusOr<std::string> PublicKeysOf(
    const config::CommandLine& command_line,
    const std::string& state_root = std::string(host::kStateRoot));

}  // namespace lwt::cli
