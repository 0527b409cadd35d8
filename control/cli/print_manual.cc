// Prints what a package has beside the programs, a manual page or what a shell
// completes: manual-pages lightweight-tunnel.8
#include <cstdio>
#include <string>
#include <string_view>

#include "control/cli/completion.h"
#include "control/cli/manual.h"
#include "control/cli/print.h"

int main(int argc, char** argv) {
  constexpr struct {
    std::string_view name;
    std::string (*text)();
  } kPages[] = {
      {"lightweight-tunnel.8", lwt::cli::DaemonManual},
      {"lightweight-tunnel.toml.5", lwt::cli::SettingsManual},
      {"lwtctl.1", lwt::cli::ControlManual},
      {"lightweight-tunnel.bash", lwt::cli::DaemonBashCompletion},
      {"lwtctl.bash", lwt::cli::ControlBashCompletion},
      {"lightweight-tunnel.zsh", lwt::cli::DaemonZshCompletion},
      {"lwtctl.zsh", lwt::cli::ControlZshCompletion},
  };
  const std::string_view wanted = argc == 2 ? argv[1] : "";
  for (const auto& [name, text] : kPages) {
    if (name != wanted) continue;
    lwt::cli::Print(stdout, text());
    return lwt::cli::Finish(stdout, stderr, "manual-pages", 0);
  }
  lwt::cli::Print(stderr, "usage: manual-pages NAME, one of");
  for (const auto& page : kPages) {
    lwt::cli::Print(stderr, " " + std::string(page.name));
  }
  lwt::cli::Print(stderr, "\n");
  return 2;
}
