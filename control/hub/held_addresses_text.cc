// The form of the file of held addresses: text to entries and back.
#include "absl/strings/str_cat.h"
#include "control/base/text_fields.h"
#include "control/handshake/static_key.h"
#include "control/hub/held_addresses.h"

namespace lwt::peer {
namespace {

constexpr std::string_view kConnectedWord = "connected";

std::optional<HeldAddress> ParseLine(std::string_view line) {
  HeldAddress held;
  const auto address = ParseIpAddress(host::TakeField(line, ' '));
  if (!address) return std::nullopt;
  held.address = *address;
  const auto key = handshake::PublicKeyFromText(host::TakeField(line, ' '));
  if (!key.ok()) return std::nullopt;
  held.key = *key;
  if (line == kConnectedWord) return held;
  if (!host::ReadNumber(line, held.until_unix_ms) ||
      held.until_unix_ms == HeldAddress::kConnected) {
    return std::nullopt;
  }
  return held;
}

}  // namespace

std::optional<std::vector<HeldAddress>> ParseHeldAddresses(
    std::string_view text) {
  if (host::TakeField(text, '\n') != kHeldAddressesForm) return std::nullopt;
  std::vector<HeldAddress> addresses;
  while (!text.empty()) {
    auto held = ParseLine(host::TakeField(text, '\n'));
    if (!held || addresses.size() == kMaxHeldAddresses) return std::nullopt;
    addresses.push_back(*held);
  }
  return addresses;
}

std::string FormatHeldAddresses(const std::vector<HeldAddress>& addresses) {
  std::string text(kHeldAddressesForm);
  text += '\n';
  for (const HeldAddress& held : addresses) {
    absl::StrAppend(&text, ToString(held.address), " ",
                    handshake::PublicKeyToText(held.key), " ");
    if (held.until_unix_ms == HeldAddress::kConnected) {
      text += kConnectedWord;
    } else {
      absl::StrAppend(&text, held.until_unix_ms);
    }
    text += '\n';
  }
  return text;
}

}  // namespace lwt::peer
