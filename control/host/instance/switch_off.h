// Offload features of an interface, off for as long as an instance runs.
// Control thread.
#pragma once

#include <absl/status/statusor.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/host/instance/journal.h"

namespace lwt::host {

// Switches off each of `names` that is on and can be switched, in the journal
// first. Returns the names switched. UndoStale (undo.h) switches them back.
absl::StatusOr<std::vector<std::string>> SwitchOff(
    const std::string& interface, int ifindex,
    std::span<const std::string_view> names, Journal& journal);

}  // namespace lwt::host
