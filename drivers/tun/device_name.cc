#include "drivers/tun/device_name.h"

#include <absl/strings/str_cat.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>

namespace lwt {

absl::Status CheckTunnelName(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (name.empty() || name.size() >= IFNAMSIZ || !plain || name == "." ||
      name == "..") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" cannot name a tunnel device: 1 to ",
                     IFNAMSIZ - 1, " letters, digits, '-', '_' and '.'"));
  }
  if (if_nametoindex(name.c_str()) != 0) {
    return absl::AlreadyExistsError(absl::StrCat(
        "a network interface named ", name,
        " exists already; choose another tun_name, or remove it: ip link del ",
        name));
  }
  return absl::OkStatus();
}

}  // namespace lwt
