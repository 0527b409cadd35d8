#include "control/hub/banned_keys.h"

#include "absl/strings/str_cat.h"
#include "control/base/state_form.h"

namespace lwt::peer {

std::string BannedKeysPath(const std::string& state_dir) {
  return absl::StrCat(state_dir, "/banned");
}

absl::StatusOr<BannedKeys> LoadBannedKeys(const std::string& state_dir) {
  const std::string path = BannedKeysPath(state_dir);
  const auto text = host::ReadState(path, kBannedKeysForm);
  if (absl::IsNotFound(text.status())) return BannedKeys();
  if (!text.ok()) return text.status();
  if (auto keys = ParseBannedKeys(*text)) return *std::move(keys);
  return absl::DataLossError(absl::StrCat(
      path,
      " cannot be understood, and without it banned clients would come "
      "in; fix it, or delete it to ban nobody"));
}

}  // namespace lwt::peer
