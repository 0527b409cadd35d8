#include "control/cli/import_command.h"

#include <sodium.h>

#include "control/base/text.h"
#include "control/cli/new_file.h"
#include "control/config/secret_file.h"
#include "control/config/write_toml.h"
#include "control/host/instance/instance_spec.h"
#include "control/migrate/convert.h"

namespace lwt::cli {
namespace {

constexpr size_t kLargestFile = 1 << 20;
// Neither is the handshake the same nor a byte on the wire.
constexpr std::string_view kAllEnds =
    "Change all ends of the tunnel at one time: this program and that one do "
    "not "
    "understand each other.\n";

absl::StatusOr<migrate::OldSettings> ReadOld(
    const config::CommandLine& command_line) {
  if (command_line.import_file.empty()) {
    return migrate::ReadOldCommand(command_line.import_command);
  }
  absl::StatusOr<config::FileText> file =
      config::ReadFile(command_line.import_file, kLargestFile);
  if (!file.ok()) return file.status();
  absl::StatusOr<migrate::OldSettings> old = migrate::ReadOldFile(file->text);
  sodium_memzero(file->text.data(), file->text.size());
  return old;
}

absl::Status Write(const std::string& path, const config::Config& config) {
  NewFile file(path);
  absl::Status status = file.Create();
  if (status.ok()) {
    status = file.Write(config::SampleFile(config, host::PathsOf(config).name));
  }
  if (status.ok()) file.Keep();
  return status;
}

}  // namespace

absl::StatusOr<std::string> ImportSettings(
    const config::CommandLine& command_line) {
  absl::StatusOr<migrate::OldSettings> old = ReadOld(command_line);
  if (!old.ok()) return old.status();
  absl::StatusOr<migrate::Converted> converted = migrate::Convert(*old);
  if (!converted.ok()) return converted.status();
  const std::string path = SettingsPath(command_line.write_file);
  const absl::Status status = Write(path, converted->config);
  converted->config.key.Erase();
  if (!status.ok()) return status;
  return config::Concat("Wrote ", path, ".\n", migrate::Report(*converted),
                        kAllEnds);
}

}  // namespace lwt::cli
