// The one table of settings. Flags, TOML keys, --help, docs/configuration.md,
// the files that -g writes, -print-config, the nearest-name hints and the
// comparison of two sets of settings all come from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "control/config/config.h"

namespace lwt::config {

// kRate is text, and in a file also a number.
enum class ValueType : uint8_t {
  kText,
  kRate,
  kChoice,
  kInteger,
  kBoolean,
  kList
};
enum class AppliesTo : uint8_t { kBoth, kServer, kClient };

// What a setting is bound to, and so what has to happen before a changed one
// counts: nothing, for a component can take it while all goes on; the next
// handshake; or a start, because memory, devices or identity were made by it.
enum class Takes : uint8_t { kLive, kNextConnection, kRestart };

// What each row says itself: there is no default for one that forgets it.
template <typename T>
class Said {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr Said(T value) : value_(value) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  constexpr operator T() const { return value_; }

 private:
  T value_;
};

// A value of one type: one field is in use, the others are as they began.
struct Value {
  std::string text;      // kText, kRate; kChoice: its name, empty if unset
  int64_t integer = 0;   // kInteger; kChoice: which one, from 0
  bool boolean = false;  // kBoolean
  std::vector<std::string> list;  // kList
  friend bool operator==(const Value&, const Value&) = default;
};

// How a row reaches its member of Config. `entry` tells which of the entries
// of a table such as [[peer]] is meant; elsewhere it is 0.
struct Field {
  ValueType type;
  // Stores a value of the right type and range; the error says what is wrong
  // without repeating the option's name, and never repeats a key.
  absl::Status (*set)(const Value& value, Config& config, size_t entry);
  Value (*get)(const Config& config, size_t entry);
  // The member of one becomes that of the other.
  void (*copy)(const Config& from, Config& to, size_t entry);
  // kList: whether one element is good by itself.
  absl::Status (*check_item)(std::string_view item) = nullptr;
};

struct Option {
  std::string_view group;  // its heading in --help and in the page
  std::string_view flag;   // without the leading dash; empty: none
  std::string_view toml;   // "key_file", "uplink.driver", "peer.public_key"
  AppliesTo applies_to = AppliesTo::kBoth;
  Said<Takes> takes;
  std::string_view value_name;  // "ADDRESS:PORT"; choices: "server|client"
  int64_t min = 0;              // kInteger
  int64_t max = 0;
  // What stands for the default where the member's own tells nothing.
  std::string_view default_text = {};
  // A value for the sample file where the default is none.
  std::string_view example = {};
  bool secret = false;  // never printed
  // Of an entry of a table, which may go without.
  bool optional = false;
  // kInteger: memory is made for as many, so more than at the start wait for
  // one, whatever `takes` says.
  bool made_at_start = false;
  std::string_view sentence;
  Field field;
};

// A table that stands once for each of its things: [[peer]]. Its rows are the
// options "peer.…", each needed in each entry unless it is `optional`; the
// first one tells the entries apart.
struct EntryTable {
  std::string_view name;  // "peer"
  AppliesTo applies_to;
  bool ordered = false;  // the order of the entries means something
  std::string_view sentence;
  size_t (*count)(const Config& config);
  void (*add)(Config& config);  // an empty entry at the end
  // The entries of one become those of the other.
  void (*copy)(const Config& from, Config& to);
};

std::span<const Option> Options();
std::span<const EntryTable> EntryTables();
const Option* FindByFlag(std::string_view flag);
const Option* FindByToml(std::string_view dotted_key);
const EntryTable* FindEntryTable(std::string_view name);
// Of "uplink.driver": "uplink"; of a key at the root: nothing.
std::string_view TableOf(const Option& option);
// Of "uplink.driver": "driver".
std::string_view KeyOf(const Option& option);
// "uplink" and "dataplane" are tables; an EntryTable is none.
bool IsTable(std::string_view name);
bool IsFor(AppliesTo applies_to, Mode mode);
std::string_view NameOf(Takes takes);  // "next connection"

// Range and choice checks, then `set`.
absl::Status Apply(const Option& option, const Value& value, Config& config,
                   size_t entry = 0);
// The value of a flag, as text, by the option's type; a list has commas.
absl::Status ApplyText(const Option& option, std::string_view text,
                       Config& config, size_t entry = 0);

// What `config` holds. Apply of it to a fresh Config makes the member equal.
Value ValueOf(const Option& option, const Config& config, size_t entry = 0);
// Nothing was given and nothing is the default.
bool IsUnset(const Option& option, const Value& value);
// "1400", "true", "10.0.0.1/24,fd00::1/64": as a flag takes it.
std::string FlagText(const Option& option, const Value& value);
// The same as TOML: "\"lwt0\"", "[\"10.0.0.1/24\", \"fd00::1/64\"]".
std::string TomlText(const Option& option, const Value& value);
// As a flag takes it; empty: none.
std::string DefaultText(const Option& option);

// " (did you mean \"mtu\"?)", or nothing when no name is near.
std::string NearestFlagHint(std::string_view flag);
std::string NearestTomlHint(std::string_view dotted_key);

}  // namespace lwt::config
