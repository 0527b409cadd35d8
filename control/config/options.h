// The one table of settings. Flags, TOML keys, --help, docs/configuration.md,
// the files that -g writes and the nearest-name hints all come from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "control/config/config.h"

namespace lwt::config {

enum class ValueType : uint8_t { kText, kChoice, kInteger, kBoolean };
enum class AppliesTo : uint8_t { kBoth, kServer, kClient };

// A value whose type was checked against its option's: one field is in use.
struct Value {
  std::string text;      // kText and kChoice
  int64_t integer = 0;   // kInteger; kChoice: which one, from 0
  bool boolean = false;  // kBoolean
};

struct Option {
  std::string_view group;  // its heading in --help and in the page
  std::string_view flag;   // without the leading dash
  std::string_view toml;   // "key_file", "uplink.driver"
  ValueType type;
  AppliesTo applies_to;
  std::string_view value_name;    // "ADDRESS:PORT"; choices: "server|client"
  std::string_view default_text;  // empty: none
  int64_t min;                    // kInteger
  int64_t max;
  std::string_view sentence;
  // Stores a value of the right type and range; the error says what is wrong
  // without repeating the option's name, and never repeats a key.
  absl::Status (*set)(const Value& value, Config& config);
};

std::span<const Option> Options();
const Option* FindByFlag(std::string_view flag);
const Option* FindByToml(std::string_view dotted_key);
// "uplink" and "dataplane" are tables.
bool IsTable(std::string_view name);

// Range and choice checks, then `set`.
absl::Status Apply(const Option& option, const Value& value, Config& config);
// The value of a flag, as text, by the option's type.
absl::Status ApplyText(const Option& option, std::string_view text,
                       Config& config);

// " (did you mean \"mtu\"?)", or nothing when no name is near.
std::string NearestFlagHint(std::string_view flag);
std::string NearestTomlHint(std::string_view dotted_key);

}  // namespace lwt::config
