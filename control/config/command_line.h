// The daemon's command line in the Go style: one or two dashes, `-x v` and
// `-x=v`, booleans `-x` and `-x=false`, names with dashes inside, no
// abbreviations. Our own parser: no flag library at hand takes all of that.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/options.h"

namespace lwt::config {

enum class Action : uint8_t {
  kRun,
  kHelp,         // -h, --help, help
  kVersion,      // -v, --version
  kGenerateKey,  // genkey
  kPublicKey,    // pubkey, perhaps with settings
  kWriteConfig,  // -g FILE
  kImport,       // -import FILE or -import-command COMMAND, with -g FILE
  kCheckConfig,  // -check-config
  kPrintConfig,  // -print-config
  kPreflight,    // -preflight
  kCleanup,      // -cleanup
};

// A flag that only says what to do; it has no TOML key.
struct CommandFlag {
  std::string_view flag;
  std::string_view value_name;  // empty: takes no value
  std::string_view sentence;
};
std::span<const CommandFlag> CommandFlags();
// Words that stand first, in the place of a flag.
std::span<const CommandFlag> CommandWords();

struct GivenOption {
  const Option* option;
  std::string value;
};

struct CommandLine {
  Action action = Action::kRun;
  std::string config_file;           // -c
  std::string write_file;            // -g
  std::string import_file;           // -import
  std::string import_command;        // -import-command
  std::vector<GivenOption> options;  // in the order given; the last one wins
  bool key_erased = false;           // ForgetKey erased that of -k

  // Keeps that -k was given, and erases what. Settings loaded by this from then
  // on have KeyConfig::held in its place.
  void ForgetKey();
};

// `arguments` is argv without the program's name. The error is one sentence,
// with the nearest flag where the name is unknown.
absl::StatusOr<CommandLine> ParseCommandLine(
    std::span<const char* const> arguments);

// Overwrites the value of every -k and -import-command in the process's own
// argument memory, so that ps and /proc/PID/cmdline no longer show it. Call
// after parsing.
void HideKey(int argc, char** argv);

}  // namespace lwt::config
