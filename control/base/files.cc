#include "control/base/files.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "control/base/file_calls.h"

namespace lwt::host {
namespace {

absl::Status WriteAndSync(int fd, std::string_view content, FileCalls& calls) {
  while (!content.empty()) {
    const ssize_t written = calls.Write(fd, content);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "write");
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (calls.Sync(fd) != 0) return absl::ErrnoToStatus(errno, "fsync");
  return absl::OkStatus();
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void SyncDirectory(const std::string& path, FileCalls& calls) {
  const int fd = calls.Open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return;
  (void)calls.Sync(fd);
  (void)calls.Close(fd);
}

}  // namespace

absl::StatusOr<ScopedFd> OpenRegularFile(const std::string& path) {
  ScopedFd file(
      open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  // ENXIO: a socket.
  const bool opened = file.get() >= 0 && fstat(file.get(), &status) == 0;
  if (!opened && errno != ENXIO) {
    return absl::ErrnoToStatus(errno, "cannot open " + path);
  }
  if (opened && S_ISREG(status.st_mode)) return file;
  return absl::FailedPreconditionError(
      absl::StrCat("cannot read ", path, ": it is no regular file"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const absl::StatusOr<ScopedFd> file = OpenRegularFile(path);
  if (!file.ok()) return file.status();
  std::string content;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = read(file->get(), buffer, sizeof(buffer))) != 0) {
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::ErrnoToStatus(errno, "cannot read " + path);
    content.append(buffer, static_cast<size_t>(size));
  }
  return content;
}

std::string TemporaryOf(const std::string& path) { return path + ".new"; }

namespace {

// What the new file is to be like; nullptr: mode 0600, and ours.
absl::Status WriteTemporary(const std::string& temporary,
                            std::string_view content, const struct stat* like,
                            FileCalls& calls) {
  (void)calls.Unlink(temporary);  // what a kill left there
  const int fd = calls.Open(
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot create " + temporary);
  absl::Status status;
  struct stat made {};
  if (like != nullptr) {
    // The owner first: changing it may take bits of the mode away.
    const bool owned = fstat(fd, &made) == 0 && made.st_uid == like->st_uid &&
                       made.st_gid == like->st_gid;
    if (!owned && calls.ChangeOwner(fd, like->st_uid, like->st_gid) != 0) {
      status = absl::ErrnoToStatus(errno, "chown");
    } else if (calls.ChangeMode(fd, like->st_mode & 07777) != 0) {
      status = absl::ErrnoToStatus(errno, "chmod");
    }
  }
  if (status.ok()) status = WriteAndSync(fd, content, calls);
  (void)calls.Close(fd);
  return status;
}

absl::Status Replace(const std::string& path, const std::string& temporary,
                     std::string_view content, const struct stat* like,
                     FileCalls& calls) {
  absl::Status status = WriteTemporary(temporary, content, like, calls);
  if (status.ok() && calls.Rename(temporary, path) != 0) {
    status = absl::ErrnoToStatus(errno, "rename");
  }
  if (!status.ok()) {
    (void)calls.Unlink(temporary);
    return absl::Status(status.code(),
                        absl::StrCat("cannot write ", path, ": ",
                                     std::string(status.message())));
  }
  SyncDirectory(ParentOf(path), calls);
  return absl::OkStatus();
}

}  // namespace

int FileCalls::Open(const std::string& path, int flags, mode_t mode) {
  return open(path.c_str(), flags, mode);
}

ssize_t FileCalls::Write(int fd, std::string_view bytes) {
  return write(fd, bytes.data(), bytes.size());
}

int FileCalls::Sync(int fd) { return fsync(fd); }

int FileCalls::ChangeOwner(int fd, uid_t owner, gid_t group) {
  return fchown(fd, owner, group);
}

int FileCalls::ChangeMode(int fd, mode_t mode) { return fchmod(fd, mode); }

int FileCalls::Rename(const std::string& from, const std::string& to) {
  return rename(from.c_str(), to.c_str());
}

int FileCalls::Unlink(const std::string& path) { return unlink(path.c_str()); }

int FileCalls::Close(int fd) { return close(fd); }

absl::Status ReplaceFile(const std::string& path, std::string_view content) {
  FileCalls calls;
  return ReplaceFile(path, content, calls);
}

absl::Status ReplaceFile(const std::string& path, std::string_view content,
                         FileCalls& calls) {
  return Replace(path, TemporaryOf(path), content, nullptr, calls);
}

absl::Status ReplaceFileOfOwner(const std::string& path,
                                std::string_view content) {
  FileCalls calls;
  return ReplaceFileOfOwner(path, content, calls);
}

absl::Status ReplaceFileOfOwner(const std::string& path,
                                std::string_view content, FileCalls& calls) {
  char resolved[PATH_MAX];
  struct stat like {};
  if (realpath(path.c_str(), resolved) == nullptr ||
      stat(resolved, &like) != 0) {
    return absl::ErrnoToStatus(errno, "cannot write " + path);
  }
  if (!S_ISREG(like.st_mode)) {
    return absl::FailedPreconditionError("cannot write " + path +
                                         ": it is no ordinary file");
  }
  // Beside it, by a name that nobody gives a file.
  const std::string folder = ParentOf(resolved);
  const std::string name = std::string(resolved).substr(folder.size());
  const std::string temporary =
      absl::StrCat(folder, "/.", name.substr(name.find_first_not_of('/')),
                   ".lightweight-tunnel");
  return Replace(resolved, temporary, content, &like, calls);
}

absl::Status MakeDirectory(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      return absl::ErrnoToStatus(errno, "cannot make directory " + parent);
    }
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return absl::ErrnoToStatus(errno, "cannot make directory " + path);
  }
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return absl::FailedPreconditionError(path + " is not a directory");
  }
  return absl::OkStatus();
}

}  // namespace lwt::host
