// A file that a command writes for its user: new, and only whole.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace lwt::cli {

// Where settings go that were to go to `path`: the Go program's NAME.json is
// NAME.toml here.
std::string SettingsPath(const std::string& path);

// Removed again unless it is kept.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  // Mode 0600. AlreadyExists when there is a file of that name.
  absl::Status Create();
  absl::Status Write(std::string_view text);
  void Keep() { kept_ = true; }

 private:
  const std::string path_;
  int fd_ = -1;
  bool kept_ = false;
};

}  // namespace lwt::cli
