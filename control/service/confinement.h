// What the process gives up: at its beginning the chance that its memory is
// dumped, and once it runs all capabilities and system calls that it has no use
// for any more, in each of its threads.
//
// Control thread; another thread only runs the handler of a signal, once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace lwt::service {

// A set of capabilities as capset(2) has it.
using CapabilitySet = uint64_t;

// No core file, no debugger of another user: call it before a key is read.
void HideMemory();

// What a gateway needs while it runs.
struct Needs {
  bool af_xdp = false;           // maps and locked memory of another uplink
  bool port_below_1024 = false;  // on another address of the host
};
CapabilitySet CapabilitiesFor(const Needs& needs);

// "CAP_NET_ADMIN, CAP_NET_RAW": those of `set` that this process holds.
std::string NamesOfHeld(CapabilitySet set);

// Gives up all capabilities but `kept`, in each thread that there is and will
// be, for ever. Threads that block SIGURG cannot be reached: an error.
absl::Status DropCapabilities(CapabilitySet kept);

// Forbids each thread that there is and will be all system calls but those of
// system_calls.h, and gaining privileges by execve(2). What AF_XDP alone takes
// fails with EPERM where it is not needed. A release ends at any other one;
// with assertions it fails with EPERM too, and a line on standard error has its
// number.
absl::Status ForbidSystemCalls(const Needs& needs);

}  // namespace lwt::service
