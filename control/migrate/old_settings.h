// The settings of the Go program that this one takes the place of, as a file or
// a command line of it gave them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/old_keys.h"

namespace lwt::migrate {

using config::FindOldFlag;
using config::FindOldKey;
using config::OldKey;
using config::OldKeys;
using config::OldType;

// A whole number and a boolean stand as Go prints them: "1400", "true".
struct OldValue {
  std::string text;
  std::vector<std::string> list;
};

// By the key of the file, in lower case as the Go program did not mind; of a
// command line too.
struct OldSettings {
  std::map<std::string, OldValue> known;
  std::vector<std::string> unknown;  // what that program passed over as well
};

// Of a JSON file. Errors name the place or the key.
absl::StatusOr<OldSettings> ReadOldFile(std::string_view json);

// Of a command line, with or without sudo and the program before it; quoted as
// for a shell. A command with -c took all else from that file, so it is refused
// with the name of the file.
absl::StatusOr<OldSettings> ReadOldCommand(std::string_view command);

}  // namespace lwt::migrate
