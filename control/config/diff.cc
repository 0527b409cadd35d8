#include "control/config/diff.h"

#include <algorithm>
#include <map>
#include <utility>

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

// Whether an entry that is there has to say so, or does.
bool IsSaid(const EntryTable& table, const Option& row, const Config& config,
            size_t entry) {
  Config other;
  table.add(other);
  return !row.optional || ValueOf(row, config, entry) != ValueOf(row, other);
}

// The keys of `entries` that `others` have too, in the order of the file.
std::vector<std::string> CommonKeys(const Entries& entries,
                                    const Entries& others) {
  std::vector<std::pair<size_t, std::string>> found;
  for (const auto& [key, entry] : entries) {
    if (others.contains(key)) found.emplace_back(entry, key);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> keys;
  for (auto& [entry, key] : found) keys.push_back(std::move(key));
  return keys;
}

// Entries that changed places: their first row, which tells them apart.
void DiffOrder(const Option& first, const Entries& before, const Entries& after,
               std::vector<Change>& changes) {
  const std::vector<std::string> old_order = CommonKeys(before, after);
  const std::vector<std::string> new_order = CommonKeys(after, before);
  for (size_t i = 0; i < new_order.size(); ++i) {
    if (old_order[i] != new_order[i]) changes.push_back({&first, new_order[i]});
  }
}

void DiffEntries(const EntryTable& table, const Config& before,
                 const Config& after, std::vector<Change>& changes) {
  const std::vector<const Option*> rows = RowsOf(table);
  const Entries old_entries = EntriesOf(table, *rows.front(), before);
  const Entries new_entries = EntriesOf(table, *rows.front(), after);
  for (const auto& [key, entry] : new_entries) {
    const auto old = old_entries.find(key);
    for (const Option* row : rows) {
      const bool changed = old == old_entries.end()
                               ? IsSaid(table, *row, after, entry)
                               : ValueOf(*row, before, old->second) !=
                                     ValueOf(*row, after, entry);
      if (changed) changes.push_back({row, key});
    }
  }
  for (const auto& [key, entry] : old_entries) {
    if (new_entries.contains(key)) continue;
    for (const Option* row : rows) {
      if (IsSaid(table, *row, before, entry)) changes.push_back({row, key});
    }
  }
  if (table.ordered) {
    DiffOrder(*rows.front(), old_entries, new_entries, changes);
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
