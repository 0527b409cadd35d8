#include "control/service/environment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace lwt::service {
namespace {

std::string FolderOf(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || value[0] != '/') return {};
  const std::string_view folders = value;
  return std::string(folders.substr(0, folders.find(':')));
}

}  // namespace

Environment ReadEnvironment() {
  return {.run_dir = FolderOf("RUNTIME_DIRECTORY"),
          .state_dir = FolderOf("STATE_DIRECTORY"),
          .credentials_dir = FolderOf("CREDENTIALS_DIRECTORY"),
          .ordinary_user = geteuid() != 0};
}

bool IsJournal(int fd) {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status;
  if (stream == nullptr || fstat(fd, &status) != 0) return false;
  return absl::StrCat(status.st_dev, ":", status.st_ino) == stream;
}

}  // namespace lwt::service
