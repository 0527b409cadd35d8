// Undoes what dead gateways left changed on the host, by their journals.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "control/host/instance/instance.h"
#include "control/host/instance/journal.h"

namespace lwt::host {

// Undoes every entry of this network namespace and forgets it; entries of
// namespaces or links that are gone are forgotten; those of other living
// namespaces are kept. Returns a sentence for each entry. At start, before the
// first own change, and at exit.
std::vector<std::string> UndoStale(Journal& journal);

// The same for the entries of one link of this network namespace.
std::vector<std::string> UndoAt(Journal& journal, int ifindex);

// The same as UndoStale for every instance under `run_root` whose process is
// dead, whose run directories are then removed. Returns a sentence for each
// thing done.
absl::StatusOr<std::vector<std::string>> CleanUp(
    const std::string& run_root = std::string(kRunRoot));

}  // namespace lwt::host
