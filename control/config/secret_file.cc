#include "control/config/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/base/text.h"

namespace lwt::config {
namespace {

absl::Status CannotRead(const std::string& path, std::string_view reason) {
  return absl::NotFoundError(Concat("cannot read ", path, ": ", reason));
}

absl::StatusOr<FileText> ReadOpenFile(int fd, const std::string& path,
                                      size_t limit, FileKind kind) {
  struct stat info;
  if (fstat(fd, &info) != 0) return CannotRead(path, strerror(errno));
  if (S_ISDIR(info.st_mode)) return CannotRead(path, "it is a folder");
  if (kind == FileKind::kRegular && !S_ISREG(info.st_mode)) {
    return CannotRead(path,
                      "it is no regular file, and can be read at a start only");
  }
  FileText file;
  const bool given_to_us = info.st_uid == 0 && geteuid() != 0 &&
                           info.st_gid == getegid() &&
                           (info.st_mode & S_IRWXG) == S_IRGRP;
  file.others_may_read =
      S_ISREG(info.st_mode) && (info.st_mode & (given_to_us ? 007 : 077)) != 0;
  char buffer[4096];
  for (;;) {
    ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return CannotRead(path, strerror(errno));
    if (count == 0) break;
    file.text.append(buffer, static_cast<size_t>(count));
    if (file.text.size() > limit) {
      return CannotRead(path, Concat("it is larger than ", limit, " bytes"));
    }
  }
  sodium_memzero(buffer, sizeof(buffer));
  return file;
}

}  // namespace

absl::StatusOr<FileText> ReadFile(const std::string& path, size_t limit,
                                  FileKind kind) {
  const int wait = kind == FileKind::kRegular ? O_NONBLOCK : 0;
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | wait);
  if (fd < 0) return CannotRead(path, strerror(errno));
  absl::StatusOr<FileText> file = ReadOpenFile(fd, path, limit, kind);
  close(fd);
  return file;
}

std::string OpenFileWarning(const std::string& path) {
  return Concat(path, " holds a key and others may read it; close it with: ",
                "chmod 600 ", path);
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& path,
                                        std::vector<std::string>& warnings,
                                        FileKind kind) {
  constexpr size_t kLimit = 4096;
  absl::StatusOr<FileText> file = ReadFile(path, kLimit, kind);
  if (!file.ok()) return file.status();
  if (file->others_may_read) warnings.push_back(OpenFileWarning(path));
  std::string key = file->text.substr(0, file->text.find_first_of("\r\n"));
  sodium_memzero(file->text.data(), file->text.size());
  if (key.empty() || key.find('\0') != std::string::npos) {
    return Invalid(path, " has no key in its first line; fill it with: ",
                   "lightweight-tunnel genkey > ", path);
  }
  return key;
}

}  // namespace lwt::config
