// Small files of the control thread: read whole, replaced whole; and
// directories.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dirent.h>

#include <memory>
#include <string>
#include <string_view>

#include "drivers/scoped_fd.h"

namespace lwt::host {

// An open directory, closed at the end of its scope.
using Directory =
    std::unique_ptr<DIR, decltype([](DIR* dir) { closedir(dir); })>;

// A file to read from. NotFound when there is none, FailedPrecondition where it
// is of another kind: whoever opens a pipe may wait for ever.
absl::StatusOr<ScopedFd> OpenRegularFile(const std::string& path);

// The same, as its content.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Either the old or the new content is there after a crash at any time; synced
// when this returns OK. Mode 0600.
absl::Status ReplaceFile(const std::string& path, std::string_view content);

// The same of a file that is somebody's: mode, owner and group stay, and of a
// link the file behind it is replaced. NotFound when there is none. It is as it
// was when this fails.
absl::Status ReplaceFileOfOwner(const std::string& path,
                                std::string_view content);

// Where ReplaceFile writes before it puts the content in its place; left there
// by a kill.
std::string TemporaryOf(const std::string& path);

// Makes `path`, of mode 0700, and its missing parents, of mode 0755.
absl::Status MakeDirectory(const std::string& path);

}  // namespace lwt::host
