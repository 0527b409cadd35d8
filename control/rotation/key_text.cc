#include "control/rotation/key_text.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/config/load.h"

namespace lwt::rotation {
namespace {

using config::Concat;
using handshake::IdOfKey;

absl::Status OtherKey() {
  return absl::FailedPreconditionError(
      "the key in it is not the one that was read at the start");
}

}  // namespace

absl::StatusOr<std::string> SettingsWithKey(std::string_view toml,
                                            const KeyId& id,
                                            std::string_view key) {
  const std::optional<config::TextPlace> old =
      config::FindTomlText(toml, "key");
  if (!old) return absl::FailedPreconditionError("there is no key in it");
  if (IdOfKey(old->value) != id) return OtherKey();
  std::string text = Concat(toml.substr(0, old->begin), "\"", key, "\"",
                            toml.substr(old->end));
  // What reads it at the next start has to find what was written.
  const std::optional<config::TextPlace> written =
      config::FindTomlText(text, "key");
  if (!written || written->value != key || written->begin != old->begin) {
    return absl::FailedPreconditionError("its key stands where none is found");
  }
  return text;
}

absl::StatusOr<std::string> KeyFileWithKey(std::string_view text,
                                           const KeyId& id,
                                           std::string_view key) {
  const size_t end = std::min(text.find_first_of("\r\n"), text.size());
  if (IdOfKey(text.substr(0, end)) != id) return OtherKey();
  return Concat(key, text.substr(end));
}

}  // namespace lwt::rotation
