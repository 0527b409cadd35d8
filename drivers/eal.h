// DPDK's environment, started once per process and quiet about it.
//
// Both functions belong to the control thread. EAL writes nothing to the
// terminal and leaves no file on the host.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/memory_mode.h"

namespace lwt {

// RTE_LOG_* of DPDK.
enum class EalLogLevel : uint32_t {
  kError = 4,
  kWarning = 5,
  kNotice = 6,
  kInfo = 7,
  kDebug = 8,
};

struct EalOptions {
  MemoryPlan memory;
  // The CPU of the calling thread and of all threads that EAL makes; workers
  // live elsewhere and register by rte_thread_register.
  int control_cpu = 0;
  // PCI addresses to probe ("0000:03:00.0"). No scan of the bus when empty.
  std::vector<std::string> pci_devices;
  // Where EAL may make a folder "dpdk" while it starts, which is there no more
  // when it has started. A kill in between leaves it: somebody has to know the
  // place. Empty: one of a new name below /run or /tmp.
  std::string runtime_folder;
  EalLogLevel log_level = EalLogLevel::kError;
  // Called with each line that DPDK logs at that level or graver, without its
  // newline, on whichever thread logs it, one at a time. It must not log by
  // DPDK. Many a line is no fault of the operator's.
  std::function<void(std::string_view line)> log_sink;
};

// Starts EAL. Afterwards the calling thread has the affinity it had before,
// real-time signals are unblocked and SIGIO is ignored, as DPDK's TAP driver
// needs it; start threads after this. A failure carries EAL's own last word on
// it. EAL cannot be started a second time in a process, not even after a
// failure or StopEal: that is a FailedPrecondition.
absl::Status StartEal(const EalOptions& options);

// Releases EAL's memory and devices and removes what files it made. All ports
// and pools are gone before. Does nothing when EAL is not running.
void StopEal();

// The newest line of a warning or an error that DPDK logged since it is up,
// empty if none: what a failed driver call was about. Any thread.
std::string LastEalMessage();

}  // namespace lwt
