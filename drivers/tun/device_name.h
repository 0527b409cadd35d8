// Where tunnel devices come from and what may name one, whatever driver makes
// it.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace lwt {

inline constexpr char kTunDevice[] = "/dev/net/tun";

// InvalidArgument for anything but 1 to 15 letters, digits, '-', '_' and '.'
// (a name is put into a list of key=value,... and is a file name in sysfs);
// AlreadyExists, with the fix, when an interface has the name.
absl::Status CheckTunnelName(const std::string& name);

// Of `name` the next one that no interface has: "lwt0", "lwt1"; `name` itself
// where a hundred are taken.
std::string NextFreeName(const std::string& name);

}  // namespace lwt
