// The manual pages, as man(7) reads them, from the table of settings and the
// programs' help.
#pragma once

#include <string>
#include <string_view>

namespace lwt::cli {

std::string DaemonManual();    // lightweight-tunnel(8)
std::string SettingsManual();  // lightweight-tunnel.toml(5)
std::string ControlManual();   // lwtctl(1)

// `text` so that man(7) shows it as it is.
std::string Roff(std::string_view text);

}  // namespace lwt::cli
