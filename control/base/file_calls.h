// The system calls by which a file is replaced, as a seam: a test stops between
// any two of them, as a power cut would.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace lwt::host {

// Each returns what its system call does, with errno.
class FileCalls {
 public:
  virtual ~FileCalls() = default;
  virtual int Open(const std::string& path, int flags, mode_t mode);
  virtual ssize_t Write(int fd, std::string_view bytes);
  virtual int Sync(int fd);
  virtual int ChangeOwner(int fd, uid_t owner, gid_t group);
  virtual int ChangeMode(int fd, mode_t mode);
  virtual int Rename(const std::string& from, const std::string& to);
  virtual int Unlink(const std::string& path);
  virtual int Close(int fd);
};

// Those of files.h by other calls.
absl::Status ReplaceFile(const std::string& path, std::string_view content,
                         FileCalls& calls);
absl::Status ReplaceFileOfOwner(const std::string& path,
                                std::string_view content, FileCalls& calls);

}  // namespace lwt::host
