// What changed between two sets of settings, by the table.
#pragma once

#include <string>
#include <vector>

#include "control/config/options.h"

namespace lwt::config {

// A setting that is not the same in both. No value: it may be a secret.
struct Change {
  const Option* option;  // its `takes` tells what the change waits for
  std::string entry;     // of a table such as [[peer]]: which one, by its key
};

// In the order of the table, each entry's after one another. Entries are told
// apart by the first row of their table, wherever they stand: one that came or
// went is a change of all its keys, one that only moved is none.
std::vector<Change> Diff(const Config& before, const Config& after);

// "mtu", "peer vD1t…Wc=: allowed_ips".
std::string NameOf(const Change& change);

}  // namespace lwt::config
