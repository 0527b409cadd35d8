// Prints a manual page: manual-pages lightweight-tunnel.8
#include <cstdio>
#include <string_view>

#include "control/cli/manual.h"
#include "control/cli/print.h"

int main(int argc, char** argv) {
  const std::string_view page = argc == 2 ? argv[1] : "";
  if (page == "lightweight-tunnel.8") {
    lwt::cli::Print(stdout, lwt::cli::DaemonManual());
  } else if (page == "lightweight-tunnel.toml.5") {
    lwt::cli::Print(stdout, lwt::cli::SettingsManual());
  } else if (page == "lwtctl.1") {
    lwt::cli::Print(stdout, lwt::cli::ControlManual());
  } else {
    lwt::cli::Print(stderr,
                    "usage: manual-pages lightweight-tunnel.8|"
                    "lightweight-tunnel.toml.5|lwtctl.1\n");
    return 2;
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
