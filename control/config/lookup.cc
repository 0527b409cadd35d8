// Rows of the table by name, and names that are near to a mistyped one.
#include <algorithm>

#include "control/base/text.h"
#include "control/config/command_line.h"
#include "control/config/nearest_name.h"
#include "control/config/options.h"
#include "control/config/values.h"

namespace lwt::config {
namespace {

// The first row that `fits`, or null.
template <typename Fits>
const Option* FindOption(Fits fits) {
  const auto options = Options();
  const auto found = std::find_if(options.begin(), options.end(), fits);
  return found == options.end() ? nullptr : &*found;
}

std::string Hint(std::string_view name) {
  return name.empty() ? "" : Concat(" (did you mean ", name, "?)");
}

}  // namespace

const Option* FindByFlag(std::string_view flag) {
  if (flag.empty()) return nullptr;
  return FindOption(
      [flag](const Option& option) { return option.flag == flag; });
}

const Option* FindByToml(std::string_view dotted_key) {
  return FindOption(
      [dotted_key](const Option& option) { return option.toml == dotted_key; });
}

const EntryTable* FindEntryTable(std::string_view name) {
  for (const EntryTable& table : EntryTables()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

std::string_view TableOf(const Option& option) {
  const size_t dot = option.toml.find('.');
  return dot == std::string_view::npos ? "" : option.toml.substr(0, dot);
}

std::string_view KeyOf(const Option& option) {
  return option.toml.substr(option.toml.find('.') + 1);  // npos + 1 is 0
}

bool IsTable(std::string_view name) {
  return !name.empty() && FindEntryTable(name) == nullptr &&
         FindOption([name](const Option& option) {
           return TableOf(option) == name;
         }) != nullptr;
}

bool IsFor(AppliesTo applies_to, Mode mode) {
  switch (applies_to) {
    case AppliesTo::kBoth:
      return true;
    case AppliesTo::kServer:
      return mode == Mode::kServer;
    case AppliesTo::kClient:
      return mode == Mode::kClient;
  }
  return false;
}

std::string_view NameOf(Takes takes) {
  switch (takes) {
    case Takes::kLive:
      return "live";
    case Takes::kNextConnection:
      return "next connection";
    case Takes::kRestart:
      return "restart";
  }
  return "";
}

std::string NearestFlagHint(std::string_view flag) {
  // The name of the file's key is a good guess at a flag: -mode, -local_addr.
  std::string toml(flag);
  std::replace(toml.begin(), toml.end(), '-', '_');
  const Option* option = FindByToml(toml);
  if (option != nullptr && !option->flag.empty()) {
    return Hint(Concat("-", option->flag));
  }
  std::vector<std::string_view> names;
  for (const Option& other : Options()) {
    if (!other.flag.empty()) names.push_back(other.flag);
  }
  for (const CommandFlag& command : CommandFlags()) {
    names.push_back(command.flag);
  }
  std::string_view near = NearestName(flag, names);
  return near.empty() ? "" : Hint(Concat("-", near));
}

std::string NearestTomlHint(std::string_view dotted_key) {
  std::string_view last = dotted_key.substr(dotted_key.rfind('.') + 1);
  std::vector<std::string_view> names;
  for (const Option& option : Options()) names.push_back(option.toml);
  for (const EntryTable& table : EntryTables()) names.push_back(table.name);
  std::string_view near = NearestName(dotted_key, names);
  if (near.empty()) {
    // A key in the wrong table, or a flag's name taken for a key.
    const Option* option = FindOption([last](const Option& row) {
      return KeyOf(row) == last || row.flag == last;
    });
    if (option != nullptr) near = option->toml;
  }
  return near.empty() ? "" : Hint(Quoted(near));
}

}  // namespace lwt::config
