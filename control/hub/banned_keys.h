// The clients that a hub does not let in, by their public keys, and their file
// `banned` in the state directory, mode 0600:
//
//   lightweight-tunnel banned 1
//   <public key, base64>
//
// Control thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/handshake/crypto.h"

namespace lwt::peer {

using BannedKeys = std::set<handshake::PublicKey>;

// An operator bans one at a time; this bounds the file.
inline constexpr size_t kMaxBannedKeys = 4096;

// The first line of the file.
inline constexpr std::string_view kBannedKeysForm =
    "lightweight-tunnel banned 1";

// nullopt unless every line is one of the form above. A key may be there twice,
// since the file may be edited by hand.
std::optional<BannedKeys> ParseBannedKeys(std::string_view text);
std::string FormatBannedKeys(const BannedKeys& keys);

std::string BannedKeysPath(const std::string& state_dir);
// Empty when there is no file. One that cannot be understood is an error: who
// was banned must not come in because of it; FailedPrecondition where it is of
// a later form.
absl::StatusOr<BannedKeys> LoadBannedKeys(const std::string& state_dir);

}  // namespace lwt::peer
