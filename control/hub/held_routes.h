// What a hub remembers of networks behind its clients from one run to the next,
// and its file `routes` in the state directory, mode 0600:
//
//   lightweight-tunnel routes 1
//   10.20.0.0/16 <public key, base64> connected
//   fd20::/64 <public key, base64> <milliseconds since 1970 it is held until>
//
// Control thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/routing/route_book.h"

namespace lwt::peer {

// Bounds what a hostile file makes us hold; of more networks the first are
// written.
inline constexpr size_t kMaxHeldRoutes = 16384;

// The first line of the file.
inline constexpr std::string_view kHeldRoutesForm =
    "lightweight-tunnel routes 1";

// nullopt unless every line is one of the form above.
std::optional<std::vector<routing::HeldRoute>> ParseHeldRoutes(
    std::string_view text);
std::string FormatHeldRoutes(const std::vector<routing::HeldRoute>& routes);

// Empty when there is no file. One that cannot be understood is moved aside to
// `routes.bad`, and the error (DataLoss) names it; the next load finds none.
// One of a later form stays, and is a FailedPrecondition.
absl::StatusOr<std::vector<routing::HeldRoute>> LoadHeldRoutes(
    const std::string& state_dir);
std::string HeldRoutesPath(const std::string& state_dir);

}  // namespace lwt::peer
