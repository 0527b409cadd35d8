// The form of the file of banned keys: text to keys and back.
#include "absl/strings/str_cat.h"
#include "control/base/text_fields.h"
#include "control/handshake/static_key.h"
#include "control/hub/banned_keys.h"

namespace lwt::peer {
std::optional<BannedKeys> ParseBannedKeys(std::string_view text) {
  if (host::TakeField(text, '\n') != kBannedKeysForm) return std::nullopt;
  BannedKeys keys;
  while (!text.empty()) {
    const auto key = handshake::PublicKeyFromText(host::TakeField(text, '\n'));
    if (!key.ok()) return std::nullopt;
    keys.insert(*key);
    if (keys.size() > kMaxBannedKeys) return std::nullopt;
  }
  return keys;
}

std::string FormatBannedKeys(const BannedKeys& keys) {
  std::string text(kBannedKeysForm);
  text += '\n';
  for (const handshake::PublicKey& key : keys) {
    absl::StrAppend(&text, handshake::PublicKeyToText(key), "\n");
  }
  return text;
}

}  // namespace lwt::peer
