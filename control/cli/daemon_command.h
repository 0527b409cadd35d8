// What the daemon's command line can ask for without a gateway: help, version,
// a key, a pair of configuration files, a check of a configuration.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "control/config/command_line.h"
#include "control/config/load.h"

namespace lwt::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

// The outcome of reading the command line. Where `done`, main returns
// `exit_code`; else `action` is kRun, kPreflight or kCleanup, `config` holds
// the settings (kRun: complete; kPreflight: what was given; kCleanup: none)
// and its warnings have been printed to standard error.
struct Begin {
  bool done = false;
  int exit_code = kExitOk;
  config::Action action = config::Action::kRun;
  config::Config config;
  config::CommandLine command_line;  // kRun: to be read again, without the key
};

// Parses argv, hides the key in it and runs the actions that need no gateway.
// Call it first thing in main; it needs no privilege and touches no device.
Begin BeginDaemon(int argc, char** argv);

// The text of --help, from the table of options.
std::string HelpText();

// genkey: prints a fresh key of 256 bits.
void GenerateKeyCommand();

// -g: writes `path` for the hub and `path`.client for a client, both mode
// 0600 and with one fresh key. Neither file may exist; else nothing is written.
// `given` holds -l, -r and -t; what is not given is guessed. InvalidArgument
// where a value is wrong.
absl::Status WriteConfigPair(const std::string& path,
                             std::span<const config::GivenOption> given);

}  // namespace lwt::cli
