#include "drivers/memory_limit.h"

#include <absl/strings/str_split.h>

#include <algorithm>
#include <vector>

#include "drivers/text_file.h"

namespace lwt {
namespace {

// Of a group and of all above it.
uint64_t LeastOnTheWayUp(const std::string& mount, std::string path,
                         const char* file) {
  uint64_t least = UINT64_MAX;
  while (true) {
    // Without a limit it is "max", or a number beyond all memory.
    const auto limit = ParseNumber(ReadTextFile(mount + path + "/" + file));
    if (limit) least = std::min(least, *limit);
    const size_t cut = path.rfind('/');
    if (cut == std::string::npos || path == "/") return least;
    path.resize(cut);
  }
}

}  // namespace

uint64_t ReadMemoryLimit(const std::string& proc_root,
                         const std::string& sys_root) {
  const std::string mount = sys_root + "/fs/cgroup";
  const std::string groups = ReadTextFile(proc_root + "/self/cgroup");
  uint64_t least = UINT64_MAX;
  const std::vector<std::string> lines = absl::StrSplit(groups, '\n');
  for (const std::string& line : lines) {
    // "4:memory:/path" of version 1, "0::/path" of version 2 (cgroups(7)).
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (parts[1].empty()) {
      least = std::min(least, LeastOnTheWayUp(mount, parts[2], "memory.max"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") !=
               controllers.end()) {
      least = std::min(least, LeastOnTheWayUp(mount + "/memory", parts[2],
                                              "memory.limit_in_bytes"));
    }
  }
  return least;
}

}  // namespace lwt
