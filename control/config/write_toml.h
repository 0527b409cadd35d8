// Settings as TOML: the commented files that -g writes, and what
// -print-config tells.
#pragma once

#include <string>
#include <string_view>

#include "control/config/load.h"

namespace lwt::config {

// A commented TOML file for the side that `config` is for: every setting that
// the side has, those that `config` gives set, the others behind a hash with
// their default or an example. It stays good when any of its lines is
// uncommented; settings that only make sense beside another are left out for
// that. `name` is the instance's, "server-10.0.0.1".
std::string SampleFile(const Config& config, std::string_view name);

// Every setting of the side that `config` is for, each with where it was given:
//   mtu = 1400  # -mtu
// What is neither given nor has a default, and a key, stands behind a hash:
// the text is a file again that makes the same settings once it has the key.
std::string SettingsInForce(const Config& config, const Origins& origins);

}  // namespace lwt::config
