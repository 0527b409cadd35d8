// Files that hold keys: read whole and bounded, with a warning where people
// other than the owner may read them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lwt::config {

struct FileText {
  std::string text;
  // Group or others have a permission. Root may give a file to the group that a
  // gateway runs in, which is then no other.
  bool others_may_read = false;
};

// The error names the file and says why. A file over `limit` bytes is refused.
absl::StatusOr<FileText> ReadFile(const std::string& path, size_t limit);

// "FILE holds a key and others may read it; close it with: chmod 600 FILE"
std::string OpenFileWarning(const std::string& path);

// The first line of the file, without its line end; refused when it is empty.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path,
                                        std::vector<std::string>& warnings);

}  // namespace lwt::config
