#include "control/rotation/key_store.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_split.h"
#include "control/base/files.h"
#include "control/base/state_form.h"
#include "control/base/text.h"
#include "control/config/secret_file.h"
#include "control/handshake/psk.h"

namespace lwt::rotation {
namespace {

using config::Concat;
using config::ToAbsl;
using config::ToStd;
using handshake::IdOfKey;

constexpr std::string_view kReplaces = "replaces ";
constexpr size_t kLargestSettings = 1 << 20;

void Wipe(std::string& text) { sodium_memzero(text.data(), text.size()); }

std::string HexOf(const KeyId& id) {
  char text[2 * std::tuple_size_v<KeyId> + 1];
  return sodium_bin2hex(text, sizeof(text), id.data(), id.size());
}

// As HexOf writes it.
std::optional<KeyId> ReadId(std::string_view hex) {
  KeyId id;
  size_t size = 0;
  if (sodium_hex2bin(id.data(), id.size(), hex.data(), hex.size(), nullptr,
                     &size, nullptr) != 0 ||
      HexOf(id) != hex) {
    return std::nullopt;
  }
  return id;
}

// The operator's file, whichever has the key.
absl::Status RewriteFile(const std::string& path, bool is_key_file,
                         const KeyId& configured, std::string_view key) {
  absl::StatusOr<config::FileText> file =
      config::ReadFile(path, kLargestSettings);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::string> text =
      is_key_file ? KeyFileWithKey(file->text, configured, key)
                  : SettingsWithKey(file->text, configured, key);
  Wipe(file->text);
  if (!text.ok()) {
    return absl::FailedPreconditionError(
        Concat(path, ": ", text.status().message()));
  }
  absl::Status written = host::ReplaceFileOfOwner(path, *text);
  Wipe(*text);
  return written;
}

absl::Status KeepInState(const KeySource& source, std::string_view key) {
  StoredKey stored{source.configured, std::string(key)};
  std::string text = FormatStoredKey(stored);
  absl::Status status =
      host::ReplaceFile(StoredKeyPath(source.state_dir), text);
  Wipe(text);
  Wipe(stored.key);
  return status;
}

}  // namespace

std::string_view NameOf(Kept kept) {
  switch (kept) {
    case Kept::kMemory:
      return "memory";
    case Kept::kFile:
      return "file";
    case Kept::kStateDirectory:
      return "state-directory";
  }
  return "";
}

std::optional<StoredKey> ParseStoredKey(std::string_view text) {
  std::vector<std::string_view> lines;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    lines.push_back(ToStd(line));
  }
  if (lines.size() != 4 || lines[0] != kStoredKeyForm || !lines[3].empty() ||
      !lines[1].starts_with(kReplaces) ||
      !handshake::IsGeneratedKey(lines[2])) {
    return std::nullopt;
  }
  const std::optional<KeyId> id = ReadId(lines[1].substr(kReplaces.size()));
  if (!id) return std::nullopt;
  return StoredKey{*id, std::string(lines[2])};
}

std::string FormatStoredKey(const StoredKey& stored) {
  return Concat(kStoredKeyForm, "\n", kReplaces, HexOf(stored.replaces), "\n",
                stored.key, "\n");
}

std::string StoredKeyPath(const std::string& state_dir) {
  return Concat(state_dir, "/shared_key");
}

KeySource SourceOf(const config::Config& config,
                   const config::CommandLine& command_line,
                   const std::string& state_dir) {
  const bool by_flag = std::any_of(
      command_line.options.begin(), command_line.options.end(),
      [](const config::GivenOption& given) { return given.option->secret; });
  KeySource source{.state_dir = state_dir,
                   .configured = IdOfKey(config.key.text)};
  if (config.key.is_credential) return source;  // the manager's, read-only
  if (!config.key.file.empty()) {
    source.key_file = config.key.file;
  } else if (!by_flag) {
    source.settings = command_line.config_file;
  }
  return source;
}

KeptAt KeepKey(KeySource& source, std::string_view key) {
  KeptAt kept;
  const bool is_key_file = !source.key_file.empty();
  const std::string& path = is_key_file ? source.key_file : source.settings;
  if (!path.empty()) {
    const absl::Status written =
        RewriteFile(path, is_key_file, source.configured, key);
    if (written.ok()) {
      source.configured = IdOfKey(key);
      // It is for the key before, so nobody would read it again.
      unlink(StoredKeyPath(source.state_dir).c_str());
      return {Kept::kFile, path, ""};
    }
    kept.why = ToStd(written.message());
  }
  const absl::Status in_state = KeepInState(source, key);
  if (in_state.ok()) {
    kept.kept = Kept::kStateDirectory;
    kept.path = StoredKeyPath(source.state_dir);
    return kept;
  }
  kept.why += Concat(kept.why.empty() ? "" : "; ", in_state.message());
  return kept;
}

absl::StatusOr<std::optional<std::string>> KeyInPlaceOf(
    std::string_view configured, const std::string& state_dir) {
  const std::string path = StoredKeyPath(state_dir);
  absl::StatusOr<std::string> text = host::ReadState(path, kStoredKeyForm);
  if (absl::IsNotFound(text.status())) return std::optional<std::string>();
  if (!text.ok()) return text.status();
  std::optional<StoredKey> stored = ParseStoredKey(*text);
  Wipe(*text);
  if (!stored) {
    return absl::DataLossError(Concat(
        path,
        " cannot be understood: it has the shared key that the hub gave; "
        "remove it, and give this side the hub's key in its settings"));
  }
  if (stored->replaces != IdOfKey(configured)) {
    Wipe(stored->key);
    return std::optional<std::string>();
  }
  return std::optional<std::string>(std::move(stored->key));
}

absl::StatusOr<std::optional<SecretKey>> PskInPlaceOf(
    std::string_view configured, const std::string& state_dir) {
  absl::StatusOr<std::optional<std::string>> kept =
      KeyInPlaceOf(configured, state_dir);
  if (!kept.ok()) return kept.status();
  if (!*kept) return std::optional<SecretKey>();
  absl::StatusOr<SecretKey> psk = handshake::DerivePsk(**kept, "");
  Wipe(**kept);
  if (!psk.ok()) return psk.status();
  return std::optional<SecretKey>(*std::move(psk));
}

}  // namespace lwt::rotation
