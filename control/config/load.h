// From a command line to a checked Config: the file first, then the flags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/command_line.h"
#include "control/config/config.h"

namespace lwt::config {

struct LoadedConfig {
  Config config;
  std::vector<std::string> warnings;  // sentences for the operator
};

// Reads the file of -c, lets the flags beat it and checks the whole. With
// `complete` false (-preflight) what is missing is no error. Errors are
// several lines "FILE:LINE:COLUMN: sentence" or "-flag: sentence".
absl::StatusOr<LoadedConfig> LoadConfig(const CommandLine& command_line,
                                        bool complete = true);

// Stores the settings of TOML text in `config`. `name` stands in the messages.
// The error has one line for each fault. Unknown keys, wrong types and wrong
// values are faults.
absl::Status ApplyToml(std::string_view text, std::string_view name,
                       Config& config);

}  // namespace lwt::config
