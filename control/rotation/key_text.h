// Where the shared key stands in a file of the operator's, and the same file
// with another key in its place: everything else stays byte for byte.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/handshake/psk.h"

namespace lwt::rotation {

using handshake::KeyId;

// Of settings in TOML, whose `key` is the one of `id`. FailedPrecondition when
// it is not, or stands there in a way that is not understood.
absl::StatusOr<std::string> SettingsWithKey(std::string_view toml,
                                            const KeyId& id,
                                            std::string_view key);
// Of a key file, whose first line is the key.
absl::StatusOr<std::string> KeyFileWithKey(std::string_view text,
                                           const KeyId& id,
                                           std::string_view key);

}  // namespace lwt::rotation
