#include "control/cli/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/base/text.h"

namespace lwt::cli {
namespace {

absl::Status CannotWrite(const std::string& path, int error) {
  if (error == EEXIST) {
    return absl::AlreadyExistsError(
        config::Concat(path, " exists already; nothing was written"));
  }
  return absl::UnavailableError(
      config::Concat("cannot write ", path, ": ", strerror(error)));
}

}  // namespace

std::string SettingsPath(const std::string& path) {
  constexpr std::string_view kJson = ".json";
  if (!path.ends_with(kJson)) return path;
  return path.substr(0, path.size() - kJson.size()) + ".toml";
}

NewFile::~NewFile() {
  if (fd_ < 0) return;
  close(fd_);
  if (!kept_) unlink(path_.c_str());
}

absl::Status NewFile::Create() {
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  // The mode again: the process's mask may have taken bits from it.
  if (fd_ < 0 || fchmod(fd_, 0600) != 0) return CannotWrite(path_, errno);
  return absl::OkStatus();
}

absl::Status NewFile::Write(std::string_view text) {
  while (!text.empty()) {
    ssize_t count = write(fd_, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return CannotWrite(path_, errno);
    text.remove_prefix(static_cast<size_t>(count));
  }
  return fsync(fd_) == 0 ? absl::OkStatus() : CannotWrite(path_, errno);
}

}  // namespace lwt::cli
