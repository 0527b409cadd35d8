#include "control/config/write_toml.h"

#include "control/base/text.h"
#include "control/config/options.h"
#include "control/config/reference.h"

namespace lwt::config {
namespace {

// Calls `take` for each row of `mode` at the root. These come first: in TOML
// whatever follows "[table]" belongs to that table.
template <typename Take>
void ForEachRootRow(Mode mode, Take take) {
  for (const Option& option : Options()) {
    if (TableOf(option).empty() && IsFor(option.applies_to, mode)) take(option);
  }
}

// The same for those of tables, after the heading of each.
template <typename Take>
void ForEachTableRow(Mode mode, std::string& file, Take take) {
  std::string_view table;
  for (const Option& option : Options()) {
    const std::string_view own = TableOf(option);
    if (!IsTable(own) || !IsFor(option.applies_to, mode)) continue;
    if (own != table) {
      table = own;
      file += Concat("\n[", table, "]\n");
    }
    take(option);
  }
}

// What stands behind a hash: the default, else an example, else nothing.
std::string OfferedValue(const Option& option, std::string_view name) {
  if (!option.example.empty()) return std::string(option.example);
  std::string text = DefaultText(option);
  constexpr std::string_view kName = "MODE-ADDRESS";
  if (const size_t at = text.find(kName); at != std::string::npos) {
    text.replace(at, kName.size(), name);
  }
  return text;
}

// `text` is what a flag would take. Empty where the option refuses it.
std::string AsToml(const Option& option, std::string_view text) {
  Config config;
  const bool good = ApplyText(option, text, config).ok();
  return good ? TomlText(option, ValueOf(option, config)) : "";
}

// An entry of a table in one line, so that one hash takes it out.
std::string SampleEntry(const EntryTable& table) {
  Config config;
  table.add(config);
  std::string members;
  for (const Option& option : Options()) {
    if (TableOf(option) != table.name || option.example.empty()) continue;
    (void)ApplyText(option, option.example, config);
    members += Concat(members.empty() ? "" : ", ", KeyOf(option), " = ",
                      TomlText(option, ValueOf(option, config)));
  }
  return Concat("\n", Wrap(table.sentence, "# ", 80), "#", table.name, " = [{ ",
                members, " }]\n");
}

std::string Line(const Option& option, const Value& value,
                 std::string_view origin) {
  const bool unset = IsUnset(option, value);
  const bool hidden = option.secret && !unset;
  if (origin.empty()) origin = unset ? "not given" : "default";
  return Concat(unset || hidden ? "#" : "", KeyOf(option), " = ",
                hidden ? "\"(hidden)\"" : TomlText(option, value), "  # ",
                origin, "\n");
}

// The entries of a table, each under its heading.
std::string EntryBlocks(const EntryTable& table, const Config& config,
                        const Origins& origins) {
  std::string text;
  for (size_t entry = 0; entry < table.count(config); ++entry) {
    text += Concat("\n[[", table.name, "]]\n");
    for (const Option& option : Options()) {
      if (TableOf(option) != table.name) continue;
      text += Line(option, ValueOf(option, config, entry),
                   origins.Of(option, entry));
    }
  }
  return text;
}

}  // namespace

std::string SampleFile(const Config& config, std::string_view name) {
  std::string file =
      Concat("# Lightweight Tunnel, the ", NameOf(config.mode),
             "'s settings. Use it with\n", "#   lightweight-tunnel -c FILE\n",
             "# A setting behind a hash shows its default, or an example.\n");
  const auto add = [&](const Option& option) {
    const Value value = ValueOf(option, config);
    const bool set = value != ValueOf(option, Config{});
    const std::string text = set ? TomlText(option, value)
                                 : AsToml(option, OfferedValue(option, name));
    if (text.empty()) return;
    file += Concat("\n", Wrap(option.sentence, "# ", 80), set ? "" : "#",
                   KeyOf(option), " = ", text, "\n");
  };
  ForEachRootRow(config.mode, add);
  for (const EntryTable& table : EntryTables()) {
    if (IsFor(table.applies_to, config.mode)) file += SampleEntry(table);
  }
  ForEachTableRow(config.mode, file, add);
  return file;
}

std::string SettingsInForce(const Config& config, const Origins& origins) {
  std::string text;
  const auto add = [&](const Option& option) {
    text += Line(option, ValueOf(option, config), origins.Of(option));
  };
  ForEachRootRow(config.mode, add);
  ForEachTableRow(config.mode, text, add);
  for (const EntryTable& table : EntryTables()) {
    if (IsFor(table.applies_to, config.mode)) {
      text += EntryBlocks(table, config, origins);
    }
  }
  return text;
}

}  // namespace lwt::config
