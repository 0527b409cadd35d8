// What the entries [[hub]] of a client must agree with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "control/config/config.h"

namespace lwt::config {

// Adds a sentence for each fault: a table of the other side, more entries than
// kMaxHubEntries, an address named twice, a key without its hub. `origins` may
// be null.
void CheckHubs(const Config& config, const Origins* origins,
               std::vector<std::string>& faults);

// No entry has the client's own key, which its state directory tells and no
// setting: a tunnel to oneself.
absl::Status CheckNotOwnKey(const Config& config, std::string_view own_key,
                            const Origins* origins);

}  // namespace lwt::config
