#include "control/peer/held_addresses.h"

#include <stdio.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "control/handshake/static_key.h"
#include "control/host/files.h"
#include "control/host/text_fields.h"

namespace lwt::peer {
namespace {

constexpr std::string_view kHeader = "lightweight-tunnel addresses 1";
constexpr std::string_view kConnectedWord = "connected";

std::string PathIn(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/addresses");
}

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
  if (host::TakeField(text, '\n') != kHeader) return std::nullopt;
  std::vector<HeldAddress> addresses;
  while (!text.empty()) {
    auto held = ParseLine(host::TakeField(text, '\n'));
    if (!held || addresses.size() == kMaxHeldAddresses) return std::nullopt;
    addresses.push_back(*held);
  }
  return addresses;
}

std::string FormatHeldAddresses(const std::vector<HeldAddress>& addresses) {
  std::string text(kHeader);
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

absl::StatusOr<std::vector<HeldAddress>> LoadHeldAddresses(
    const std::string& state_dir) {
  const std::string path = PathIn(state_dir);
  const auto text = host::ReadFile(path);
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

absl::Status StoreHeldAddresses(const std::string& state_dir,
                                const std::vector<HeldAddress>& addresses) {
  return host::ReplaceFile(PathIn(state_dir), FormatHeldAddresses(addresses));
}

}  // namespace lwt::peer
