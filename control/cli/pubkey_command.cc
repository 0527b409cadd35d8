#include "control/cli/pubkey_command.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "control/base/text.h"
#include "control/config/load.h"
#include "control/handshake/static_key.h"
#include "control/host/instance/instance_spec.h"

namespace lwt::cli {
namespace {

constexpr std::string_view kStaticKey = "static.key";

// The folders with a key in them, in order; PermissionDenied where this user
// may not look.
absl::StatusOr<std::set<std::string>> FoldersIn(const std::string& root) {
  std::set<std::string> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator at(root, error), end;
       !error && at != end; at.increment(error)) {
    const bool has = std::filesystem::exists(at->path() / kStaticKey, error);
    if (has) folders.insert(at->path().string());
    if (error) break;
  }
  if (!error || error == std::errc::no_such_file_or_directory) return folders;
  return absl::PermissionDeniedError(
      config::Concat("cannot look into ", root, ": ", error.message(),
                     "; run this as root, or name the folder by -state-dir"));
}

absl::StatusOr<std::string> KeyIn(const std::string& folder) {
  const auto key = handshake::OwnPublicKey(folder);
  if (key.ok()) return handshake::PublicKeyToText(*key);
  if (!absl::IsNotFound(key.status())) return key.status();
  return absl::NotFoundError(
      config::Concat(folder, " has no key pair yet: the first start makes it"));
}

// Of settings that tell it; empty: they do not.
std::string FolderOf(const config::Config& config) {
  if (!config.host.state_dir.empty()) return config.host.state_dir;
  const bool known =
      config.mode != config::Mode::kUnset &&
      (config.tunnel.leased ? !config.client.HubAddresses().empty()
                            : !config.tunnel.addresses.empty());
  return known ? host::PathsOf(config).state_dir : "";
}

}  // namespace

absl::StatusOr<std::string> PublicKeysOf(
    const config::CommandLine& command_line, const std::string& state_root) {
  absl::StatusOr<config::LoadedConfig> loaded =
      config::LoadConfig(command_line, /*complete=*/false);
  if (!loaded.ok()) return loaded.status();
  loaded->config.key.Erase();
  const std::string folder = FolderOf(loaded->config);
  if (!folder.empty()) {
    const auto key = KeyIn(folder);
    if (!key.ok()) return key.status();
    return *key + "\n";
  }
  const auto folders = FoldersIn(state_root);
  if (!folders.ok()) return folders.status();
  if (folders->empty()) return KeyIn(state_root);
  std::string text;
  for (const std::string& each : *folders) {
    const auto key = KeyIn(each);
    if (!key.ok()) return key.status();
    const std::string name = std::filesystem::path(each).filename().string();
    text += folders->size() == 1 ? *key + "\n"
                                 : absl::StrCat(name, " ", *key, "\n");
  }
  return text;
}

}  // namespace lwt::cli
