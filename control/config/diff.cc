#include "control/config/diff.h"

#include <map>

#include "control/base/text.h"

namespace lwt::config {
namespace {

// The rows of a table of entries, the one that tells them apart first.
std::vector<const Option*> RowsOf(const EntryTable& table) {
  std::vector<const Option*> rows;
  for (const Option& option : Options()) {
    if (TableOf(option) == table.name) rows.push_back(&option);
  }
  return rows;
}

using Entries = std::map<std::string, size_t>;  // by key: where it stands

Entries EntriesOf(const EntryTable& table, const Option& key,
                  const Config& config) {
  Entries entries;
  for (size_t entry = 0; entry < table.count(config); ++entry) {
    entries[FlagText(key, ValueOf(key, config, entry))] = entry;
  }
  return entries;
}

void DiffEntries(const EntryTable& table, const Config& before,
                 const Config& after, std::vector<Change>& changes) {
  const std::vector<const Option*> rows = RowsOf(table);
  const Entries old_entries = EntriesOf(table, *rows.front(), before);
  const Entries new_entries = EntriesOf(table, *rows.front(), after);
  for (const auto& [key, entry] : new_entries) {
    const auto old = old_entries.find(key);
    for (const Option* row : rows) {
      if (old == old_entries.end() ||
          ValueOf(*row, before, old->second) != ValueOf(*row, after, entry)) {
        changes.push_back({row, key});
      }
    }
  }
  for (const auto& [key, entry] : old_entries) {
    if (new_entries.contains(key)) continue;
    for (const Option* row : rows) changes.push_back({row, key});
  }
}

}  // namespace

std::vector<Change> Diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for (const Option& option : Options()) {
    if (FindEntryTable(TableOf(option)) != nullptr) continue;
    if (ValueOf(option, before) != ValueOf(option, after)) {
      changes.push_back({&option, ""});
    }
  }
  for (const EntryTable& table : EntryTables()) {
    DiffEntries(table, before, after, changes);
  }
  return changes;
}

std::string NameOf(const Change& change) {
  if (change.entry.empty()) return std::string(change.option->toml);
  return Concat(TableOf(*change.option), " ", change.entry, ": ",
                KeyOf(*change.option));
}

}  // namespace lwt::config
