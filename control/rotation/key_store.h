// Where a shared key is kept that took the place of the configured one while
// the gateway ran, so that the next start finds it.
//
// Three places, in this order: the operator's own file that has the key (the
// settings or the key file), in place; `shared_key` in the state directory,
// which the next start takes in place of the configured key that it replaces;
// memory, where neither can be written.
//
// The file `shared_key`, mode 0600:
//
//   lightweight-tunnel shared-key 1
//   replaces <16 hexadecimal digits: the configured key by IdOfKey>
//   <the key>
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/command_line.h"
#include "control/config/config.h"
#include "control/handshake/messages.h"
#include "control/rotation/key_text.h"

namespace lwt::rotation {

using Kept = handshake::KeyKept::Where;
std::string_view NameOf(Kept kept);  // "memory", "file", "state-directory"

// The first line of the file.
inline constexpr std::string_view kStoredKeyForm =
    "lightweight-tunnel shared-key 1";

struct StoredKey {
  KeyId replaces{};
  std::string key;
};
std::optional<StoredKey> ParseStoredKey(std::string_view text);
std::string FormatStoredKey(const StoredKey& stored);
std::string StoredKeyPath(const std::string& state_dir);

// Where the configured key came from.
struct KeySource {
  std::string settings;  // of -c; empty: the key is not from there
  std::string key_file;  // or from there
  std::string state_dir;
  KeyId configured{};  // as it was read
};

struct KeptAt {
  Kept kept = Kept::kMemory;
  std::string path;  // of the file
  std::string why;   // the places before could not be written; may be empty
};

// Writes `key`, which counts from now on, and syncs it. May take as long as the
// disk does. Where the operator's file was written, that is what `source` has
// configured from then on.
KeptAt KeepKey(KeySource& source, std::string_view key);

// Where the key of `config` came from: an erased one is of no use here.
KeySource SourceOf(const config::Config& config,
                   const config::CommandLine& command_line,
                   const std::string& state_dir);

// The key that counts where `configured` is configured. Nothing: that one. One
// that was kept for another configured key is passed over. FailedPrecondition
// where the file is of a later form.
absl::StatusOr<std::optional<std::string>> KeyInPlaceOf(
    std::string_view configured, const std::string& state_dir);
// The same, ready for use: what is kept is a generated key, which costs
// nothing.
absl::StatusOr<std::optional<SecretKey>> PskInPlaceOf(
    std::string_view configured, const std::string& state_dir);

}  // namespace lwt::rotation
