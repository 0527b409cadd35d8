#include "control/hub/held_addresses.h"

#include <stdio.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "control/base/state_form.h"

namespace lwt::peer {

std::string HeldAddressesPath(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/addresses");
}

absl::StatusOr<std::vector<HeldAddress>> LoadHeldAddresses(
    const std::string& state_dir) {
  const std::string path = HeldAddressesPath(state_dir);
  const auto text = host::ReadState(path, kHeldAddressesForm);
  if (absl::IsNotFound(text.status())) return std::vector<HeldAddress>();
  if (!text.ok()) return text.status();
  if (auto addresses = ParseHeldAddresses(*text)) return *std::move(addresses);
  const std::string aside = path + ".bad";
  if (rename(path.c_str(), aside.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot move aside " + path);
  }
  return absl::DataLossError(absl::StrCat(
      path, " cannot be understood and was moved to ", aside,
      "; tunnel addresses go to whoever asks first, as on a first start"));
}

}  // namespace lwt::peer
