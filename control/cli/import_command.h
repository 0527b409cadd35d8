// -import and -import-command: settings of the Go program into a file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "control/config/command_line.h"

namespace lwt::cli {

// Writes the file of -g, mode 0600, which may not exist yet, from the file of
// -import or the command line of -import-command. What became of each setting,
// for people.
absl::StatusOr<std::string> ImportSettings(
    const config::CommandLine& command_line);

}  // namespace lwt::cli
