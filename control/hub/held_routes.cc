#include "control/hub/held_routes.h"

#include <stdio.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "control/base/state_form.h"

namespace lwt::peer {

using routing::HeldRoute;

std::string HeldRoutesPath(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/routes");
}

absl::StatusOr<std::vector<HeldRoute>> LoadHeldRoutes(
    const std::string& state_dir) {
  const std::string path = HeldRoutesPath(state_dir);
  const auto text = host::ReadState(path, kHeldRoutesForm);
  if (absl::IsNotFound(text.status())) return std::vector<HeldRoute>();
  if (!text.ok()) return text.status();
  if (auto routes = ParseHeldRoutes(*text)) return *std::move(routes);
  const std::string aside = path + ".bad";
  if (rename(path.c_str(), aside.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, "cannot move aside " + path);
  }
  return absl::DataLossError(absl::StrCat(
      path, " cannot be understood and was moved to ", aside,
      "; networks behind clients go to who announces them first, as on a first "
      "start"));
}

}  // namespace lwt::peer
