// What becomes of the settings in force when they are read again.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/diff.h"

namespace lwt::config {

struct Reloaded {
  Config config;  // in force from now on; no text of a key
  std::vector<Change> live;
  std::vector<Change> next_connection;
  std::vector<Change> restart;  // not in `config`
};

// `in_force` with what `wanted` has otherwise and a running gateway can take,
// by the table of settings; `started` is what it was started with. What is not
// for this side counts as taken; with another mode nothing else is looked at.
// An error where a part of `wanted` that counts now does not agree with what
// has to stay until a restart.
absl::StatusOr<Reloaded> Reload(const Config& started, const Config& in_force,
                                const Config& wanted);

// Says it in up to three lines: "applied: log_level", "waits for the next
// connection: sni", "waits for a restart: persona, dataplane.workers".
std::string Sentences(const Reloaded& reloaded);

}  // namespace lwt::config
