// Can this interface do AF_XDP without copying?
#pragma once

#include <absl/status/status.h>

#include "drivers/ports/interface.h"

namespace lwt {

// Tries a zero-copy bind on receive queue 0 and takes it back: the one answer
// that holds for every driver. Not OK says why not. A NIC that can may reset
// its queues, so ask only before an AF_XDP uplink is opened.
absl::Status TryZeroCopy(const Interface& interface);

}  // namespace lwt
