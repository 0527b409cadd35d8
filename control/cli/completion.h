// What shells complete on the programs' command lines, from the table of
// settings and that of lwtctl's commands.
#pragma once

#include <string>

namespace lwt::cli {

// For bash-completion's folder; need no more than bash itself.
std::string DaemonBashCompletion();
std::string ControlBashCompletion();
// For zsh's function path, as _lightweight-tunnel and _lwtctl.
std::string DaemonZshCompletion();
std::string ControlZshCompletion();

}  // namespace lwt::cli
