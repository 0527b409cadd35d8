// A log that a test reads again: in memory, without a bound and without a pipe
// that could be full.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "control/base/log.h"
#include "drivers/scoped_fd.h"

namespace lwt::loop {

class LogLines {
 public:
  explicit LogLines(LogLevel level = LogLevel::kInfo, bool journal = false)
      : log_(level, file_.get(), journal) {}

  Log& log() { return log_; }
  int fd() const { return file_.get(); }
  // What was logged since the last call.
  std::string Take() {
    const off_t end = lseek(file_.get(), 0, SEEK_END);
    std::string text(static_cast<size_t>(end - read_to_), '\0');
    EXPECT_EQ(pread(file_.get(), text.data(), text.size(), read_to_),
              static_cast<ssize_t>(text.size()));
    read_to_ = end;
    return text;
  }
  size_t TakeCount() {
    const std::string text = Take();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

 private:
  const ScopedFd file_{memfd_create("log", MFD_CLOEXEC)};
  Log log_;
  off_t read_to_ = 0;
};

}  // namespace lwt::loop
