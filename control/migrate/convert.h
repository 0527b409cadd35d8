// What the Go program's settings come to here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/migrate/old_settings.h"

namespace lwt::migrate {

struct Converted {
  config::Config config;  // good by config::Finish
  // Each setting that was given is in one of these; the latter three as
  // "routes: sentence".
  std::vector<std::string> kept;  // by their new names
  std::vector<std::string> changed;
  std::vector<std::string> gone;
  std::vector<std::string> unknown;  // names alone
};

// The error has one line for each value that does not do here.
absl::StatusOr<Converted> Convert(const OldSettings& old);

// What to tell whoever asked for it: a line for each setting, and what has to
// be done with all ends of the tunnel.
std::string Report(const Converted& converted);

}  // namespace lwt::migrate
