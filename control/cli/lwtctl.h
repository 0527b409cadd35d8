// lwtctl, the daemon's client: reads its own command line, asks one question,
// prints the answer.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace lwt::cli {

struct ControlCommand {
  bool help = false;
  bool version = false;     // lwtctl's own
  std::string socket_path;  // empty: the only one there is
  std::string request;      // a line of the control socket's protocol
  bool wait = false;        // until it is answered
  bool wait_up = false;     // ... and a peer is up
  int wait_s = -1;          // at most; below 0: not told
};

// `arguments` is argv without the program's name.
absl::StatusOr<ControlCommand> ParseControlCommand(
    std::span<const char* const> arguments);

std::string ControlHelpText();

// Runs a command line and gives the exit status: 0 done, 1 the daemon is not
// reached or says no, 2 the command line is wrong; of a reload that was done, 3
// where something waits for a restart, 4 where the host refused a part; of a
// status for people, 5 where there are peers and none is up. Without
// -socket it takes the only control socket under `run_folder`/*/.
int RunControl(std::span<const char* const> arguments,
               const std::string& run_folder, FILE* out, FILE* err);

}  // namespace lwt::cli
