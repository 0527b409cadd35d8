#include "control/config/load.h"

#include <sodium.h>

#include "absl/strings/str_join.h"
#include "control/config/secret_file.h"
#include "control/config/text.h"

namespace lwt::config {
namespace {

constexpr size_t kLargestFile = 1 << 20;

absl::Status ApplyFile(const std::string& path, LoadedConfig& loaded) {
  absl::StatusOr<FileText> file = ReadFile(path, kLargestFile);
  if (!file.ok()) return file.status();
  absl::Status status = ApplyToml(file->text, path, loaded.config);
  sodium_memzero(file->text.data(), file->text.size());
  if (file->others_may_read && !loaded.config.key.text.empty()) {
    loaded.warnings.push_back(OpenFileWarning(path));
  }
  return status;
}

absl::Status ApplyFlags(const std::vector<GivenOption>& options,
                        Config& config) {
  std::vector<std::string> faults;
  // One way to give the key takes the place of the other way in the file.
  for (const GivenOption& given : options) {
    if (given.option->toml == "key" || given.option->toml == "key_file") {
      config.key.Erase();
      config.key.file.clear();
    }
  }
  for (const GivenOption& given : options) {
    absl::Status status = ApplyText(*given.option, given.value, config);
    if (!status.ok()) {
      faults.push_back(Concat("-", given.option->flag, ": ", status.message()));
    }
  }
  if (faults.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

}  // namespace

absl::StatusOr<LoadedConfig> LoadConfig(const CommandLine& command_line,
                                        bool complete) {
  LoadedConfig loaded;
  std::vector<std::string> faults;
  auto note = [&faults](const absl::Status& status) {
    if (!status.ok()) faults.emplace_back(ToStd(status.message()));
  };
  if (!command_line.config_file.empty()) {
    note(ApplyFile(command_line.config_file, loaded));
  }
  note(ApplyFlags(command_line.options, loaded.config));
  // Relations between settings that were not understood would only mislead.
  if (faults.empty() && complete) {
    note(Finish(loaded.config, loaded.warnings));
  }
  if (faults.empty()) return loaded;
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

}  // namespace lwt::config
