#include "control/config/load.h"

#include <sodium.h>
#include <unistd.h>

#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "control/config/secret_file.h"

namespace lwt::config {
namespace {

constexpr size_t kLargestFile = 1 << 20;

// No TOML file begins with a brace.
bool IsJson(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '{';
}

absl::Status ApplyFile(const std::string& path, FileKind kind,
                       LoadedConfig& loaded) {
  absl::StatusOr<FileText> file = ReadFile(path, kLargestFile, kind);
  if (!file.ok()) return file.status();
  if (IsJson(file->text)) {
    sodium_memzero(file->text.data(), file->text.size());
    return Invalid(path, " is JSON, as the Go program had it; turn it into a ",
                   "file for this one with: lightweight-tunnel -import ", path,
                   " -g NEW.toml");
  }
  absl::Status status =
      ApplyToml(file->text, path, loaded.config, &loaded.origins);
  sodium_memzero(file->text.data(), file->text.size());
  if (file->others_may_read && !loaded.config.key.text.empty()) {
    loaded.warnings.push_back(OpenFileWarning(path));
  }
  return status;
}

absl::Status ApplyFlags(const CommandLine& command_line, LoadedConfig& loaded) {
  const std::vector<GivenOption>& options = command_line.options;
  std::vector<std::string> faults;
  Config& config = loaded.config;
  // One way to give the key takes the place of the other way in the file.
  for (const GivenOption& given : options) {
    if (given.option->toml == "key" || given.option->toml == "key_file") {
      config.key.Erase();
      config.key.file.clear();
      loaded.origins.Forget(*FindByToml("key"));
      loaded.origins.Forget(*FindByToml("key_file"));
    }
  }
  for (const GivenOption& given : options) {
    if (given.option->secret && command_line.key_erased) {
      config.key.held = true;
      continue;
    }
    absl::Status status = ApplyText(*given.option, given.value, config);
    loaded.origins.Note(*given.option, 0, Concat("-", given.option->flag));
    if (!status.ok()) {
      faults.push_back(Concat("-", given.option->flag, ": ", status.message()));
    }
  }
  if (faults.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
}

// The credential that is the shared key (systemd.exec(5), LoadCredential=).
constexpr std::string_view kKeyCredential = "key";

// What the environment gives stands where neither file nor flag does.
void ApplyEnvironment(const service::Environment& environment,
                      LoadedConfig& loaded) {
  Config& config = loaded.config;
  config.host.run_dir = environment.run_dir;
  if (config.host.state_dir.empty() && !environment.state_dir.empty()) {
    config.host.state_dir = environment.state_dir;
    loaded.origins.Note(*FindByToml("state_dir"), 0, "$STATE_DIRECTORY");
  }
  if (environment.ordinary_user && config.host.run_dir.empty()) {
    config.host.run_dir = config.host.state_dir;
  }
  if (environment.credentials_dir.empty() || !config.key.text.empty() ||
      !config.key.file.empty() || config.key.held ||
      config.key.encryption == Encryption::kNone) {
    return;
  }
  const std::string path =
      Concat(environment.credentials_dir, "/", kKeyCredential);
  if (access(path.c_str(), F_OK) != 0) return;
  config.key.file = path;
  config.key.is_credential = true;
  loaded.origins.Note(*FindByToml("key_file"), 0, "$CREDENTIALS_DIRECTORY");
}

// A setting that only the other side has is no error, for one file may serve
// two commands; yet whoever gave it believes that it does something.
void WarnOfOtherSide(LoadedConfig& loaded) {
  for (const Option& option : Options()) {
    const std::string_view origin = loaded.origins.Of(option);
    if (origin.empty() || IsFor(option.applies_to, loaded.config.mode))
      continue;
    const bool hubs = option.applies_to == AppliesTo::kServer;
    loaded.warnings.push_back(
        Concat(origin, ": ", option.toml, " is for a ", hubs ? "hub" : "client",
               " and does nothing on this ", hubs ? "client" : "hub"));
  }
}

absl::StatusOr<LoadedConfig> Load(const CommandLine& command_line,
                                  bool complete,
                                  const service::Environment& environment,
                                  FileKind kind) {
  LoadedConfig loaded;
  loaded.config.key.regular_only = kind == FileKind::kRegular;
  absl::Status file;
  if (!command_line.config_file.empty()) {
    file = ApplyFile(command_line.config_file, kind, loaded);
  }
  absl::Status flags = ApplyFlags(command_line, loaded);
  ApplyEnvironment(environment, loaded);
  std::vector<std::string> faults;
  bool usage = !flags.ok();
  for (const absl::Status& status : {file, flags}) {
    if (!status.ok()) faults.emplace_back(ToStd(status.message()));
  }
  // Relations between settings that were not understood would only mislead.
  if (faults.empty() && complete) {
    absl::Status agree =
        Finish(loaded.config, loaded.warnings, &loaded.origins);
    usage |= absl::IsInvalidArgument(agree);
    if (!agree.ok()) faults.emplace_back(ToStd(agree.message()));
    if (!loaded.config.key.file.empty()) {
      loaded.origins.Note(*FindByToml("key"), 0, loaded.config.key.file);
    }
  }
  if (faults.empty()) {
    if (complete) WarnOfOtherSide(loaded);
    return loaded;
  }
  const std::string lines = absl::StrJoin(faults, "\n");
  return usage ? absl::InvalidArgumentError(lines)
               : absl::FailedPreconditionError(lines);
}

}  // namespace

absl::StatusOr<LoadedConfig> LoadConfig(
    const CommandLine& command_line, bool complete,
    const service::Environment& environment) {
  return Load(command_line, complete, environment, FileKind::kAny);
}

absl::StatusOr<LoadedConfig> LoadConfigAgain(const CommandLine& command_line) {
  return Load(command_line, true, service::ReadEnvironment(),
              FileKind::kRegular);
}

}  // namespace lwt::config
