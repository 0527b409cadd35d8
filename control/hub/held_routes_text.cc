// The form of the file of held networks: text to entries and back.
#include "absl/strings/str_cat.h"
#include "control/base/text_fields.h"
#include "control/handshake/static_key.h"
#include "control/hub/held_routes.h"

namespace lwt::peer {
namespace {

using routing::HeldRoute;

constexpr std::string_view kStillConnected = "connected";

std::optional<HeldRoute> ParseRouteLine(std::string_view line) {
  HeldRoute held;
  const auto network = ParseIpPrefix(host::TakeField(line, ' '));
  if (!network || network->Network() != network->address) return std::nullopt;
  held.network = *network;
  const auto key = handshake::PublicKeyFromText(host::TakeField(line, ' '));
  if (!key.ok()) return std::nullopt;
  held.key = *key;
  if (line == kStillConnected) return held;
  if (!host::ReadNumber(line, held.until_unix_ms) ||
      held.until_unix_ms == HeldRoute::kConnected) {
    return std::nullopt;
  }
  return held;
}

}  // namespace

std::optional<std::vector<HeldRoute>> ParseHeldRoutes(std::string_view text) {
  if (host::TakeField(text, '\n') != kHeldRoutesForm) return std::nullopt;
  std::vector<HeldRoute> routes;
  while (!text.empty()) {
    auto held = ParseRouteLine(host::TakeField(text, '\n'));
    if (!held || routes.size() == kMaxHeldRoutes) return std::nullopt;
    routes.push_back(*held);
  }
  return routes;
}

std::string FormatHeldRoutes(const std::vector<HeldRoute>& routes) {
  std::string text(kHeldRoutesForm);
  text += '\n';
  size_t lines = 0;
  for (const HeldRoute& held : routes) {
    if (++lines > kMaxHeldRoutes) break;
    absl::StrAppend(&text, ToString(held.network), " ",
                    handshake::PublicKeyToText(held.key), " ");
    if (held.until_unix_ms == HeldRoute::kConnected) {
      text += kStillConnected;
    } else {
      absl::StrAppend(&text, held.until_unix_ms);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lwt::peer
