// This node's static key pair, and the pin of the hub's.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/handshake/crypto.h"

namespace lwt::handshake {

// Owned by the gateway, lives as long as it.
struct StaticKey {
  SecretKey secret;
  PublicKey public_key{};
};

StaticKey GenerateStaticKey();

// Base64 of the 32 bytes, 44 characters: the form of files, of the
// configuration and of the status.
std::string PublicKeyToText(const PublicKey& key);
absl::StatusOr<PublicKey> PublicKeyFromText(std::string_view text);

// Reads `static.key` of the state directory; makes the directory (0700) and the
// file (0600, whole or not at all) when they are missing. Refuses a file that
// others may read, and says how to fix it.
absl::StatusOr<StaticKey> LoadOrCreateStaticKey(const std::string& state_dir);

// Of the pair that the directory has; NotFound where it has none.
absl::StatusOr<PublicKey> OwnPublicKey(const std::string& state_dir);

// The hub's key that this client expects: `configured` (the text of
// `server_public_key`) if not empty, else the content of `server.pub` in the
// state directory, else none (first contact).
absl::StatusOr<std::optional<PublicKey>> ExpectedHubKey(
    const std::string& state_dir, std::string_view configured);

// Remembers the hub's key of a first contact in `server.pub`. An equal pin that
// is there already is fine; a different one is refused, never overwritten.
absl::Status PinHubKey(const std::string& state_dir, const PublicKey& key);

// What says which key a hub has.
enum class PinnedBy : uint8_t {
  kFirstContact,  // and from then on `server.pub`
  kSetting,       // server_public_key
  kEntry,         // public_key of its entry [[hub]]
};

// The error for a hub that shows `seen` where another key was expected; it
// names the file to delete, or the setting.
absl::Status HubKeyChangedError(const std::string& state_dir,
                                PinnedBy pinned_by, const PublicKey& seen);

}  // namespace lwt::handshake
