// From a command line to a checked Config: the file first, then the flags.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/command_line.h"
#include "control/config/config.h"
#include "control/service/environment.h"

namespace lwt::config {

// Where each setting in force was given: "-mtu", "tunnel.toml:7".
class Origins {
 public:
  void Note(const Option& option, size_t entry, std::string where) {
    where_[{&option, entry}] = std::move(where);
  }
  void Forget(const Option& option) { where_.erase({&option, 0}); }
  // Nothing: it is the default.
  std::string_view Of(const Option& option, size_t entry = 0) const {
    const auto found = where_.find({&option, entry});
    return found == where_.end() ? std::string_view() : found->second;
  }

 private:
  std::map<std::pair<const Option*, size_t>, std::string> where_;
};

struct LoadedConfig {
  Config config;
  Origins origins;
  std::vector<std::string> warnings;  // sentences for the operator
};

// Reads the file of -c, lets the flags beat it, takes folders and key of the
// environment where neither has them, and checks the whole. With
// `complete` false (-preflight) what is missing is no error. Errors are
// several lines "FILE:LINE:COLUMN: sentence" or "-flag: sentence"; its code is
// kInvalidArgument where a flag's value is wrong, else kFailedPrecondition.
absl::StatusOr<LoadedConfig> LoadConfig(
    const CommandLine& command_line, bool complete = true,
    const service::Environment& environment = service::ReadEnvironment());
// The same for a gateway that runs: what is no regular file is refused, since a
// pipe may have nothing to say for ever.
absl::StatusOr<LoadedConfig> LoadConfigAgain(const CommandLine& command_line);

// Stores the settings of TOML text in `config`. `name` stands in the messages.
// The error has one line for each fault. Unknown keys, wrong types and wrong
// values are faults. `origins` may be null.
absl::Status ApplyToml(std::string_view text, std::string_view name,
                       Config& config, Origins* origins = nullptr);

// Where the value of a text outside of all tables stands in TOML text, quotes
// included.
struct TextPlace {
  size_t begin = 0;
  size_t end = 0;
  std::string value;
};
// nullopt when there is none, or the text is no TOML.
std::optional<TextPlace> FindTomlText(std::string_view toml,
                                      std::string_view key);

}  // namespace lwt::config
