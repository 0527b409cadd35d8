// Files that hold keys: read whole and bounded, with a warning where people
// other than the owner may read them.
#pragma once

#include <cstddef>
#include <cstdint>
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

// What a file may be. At a start it may be a pipe, as a shell makes one of
// <(pass show vpn); a gateway that runs waits for nobody who may never write.
enum class FileKind : uint8_t { kAny, kRegular };

// The error names the file and says why. A file over `limit` bytes is refused.
absl::StatusOr<FileText> ReadFile(const std::string& path, size_t limit,
                                  FileKind kind = FileKind::kAny);

// "FILE holds a key and others may read it; close it with: chmod 600 FILE"
std::string OpenFileWarning(const std::string& path);

// The first line of the file, without its line end; refused when it is empty.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path,
                                        std::vector<std::string>& warnings,
                                        FileKind kind = FileKind::kAny);

}  // namespace lwt::config
