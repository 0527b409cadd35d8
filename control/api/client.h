// The client's half of the control socket: one question, one answer. Blocking;
// used by lwtctl only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace lwt::api {

// Sends `request` (without line feed) to the daemon behind `socket_path` and
// gives the body of its answer. FailedPrecondition carries the daemon's own
// sentence; every other error says what to do. Waits `timeout_ms` in all.
absl::StatusOr<std::string> Ask(const std::string& socket_path,
                                const std::string& request, int timeout_ms);

// The same of a request that is answered without end: gives `take` what comes,
// as it comes, until the daemon closes or `take` returns false. `timeout_ms` is
// for the beginning.
absl::Status Follow(const std::string& socket_path, const std::string& request,
                    int timeout_ms,
                    const std::function<bool(std::string_view)>& take);

// The control sockets under `run_folder`/*/control.sock, sorted.
std::vector<std::string> FindSockets(const std::string& run_folder);

// Whether nobody can answer at `socket_path`: a gateway that was killed leaves
// its socket behind.
bool IsDeadSocket(const std::string& socket_path);

}  // namespace lwt::api
