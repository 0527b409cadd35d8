// A log that a test reads again: in memory, without a bound and without a pipe
// that could be full.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

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
    std::string text = ReadFrom(read_to_);
    read_to_ += static_cast<off_t>(text.size());
    return text;
  }
  // How often the words are in all that was logged, taken or not.
  size_t Count(std::string_view words) const {
    const std::string text = ReadFrom(0);
    size_t count = 0;
    for (size_t at = 0; (at = text.find(words, at)) != std::string::npos;
         at += words.size()) {
      ++count;
    }
    return count;
  }
  size_t TakeCount() {
    const std::string text = Take();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

 private:
  std::string ReadFrom(off_t from) const {
    const off_t end = lseek(file_.get(), 0, SEEK_END);
    std::string text(static_cast<size_t>(end - from), '\0');
    EXPECT_EQ(pread(file_.get(), text.data(), text.size(), from),
              static_cast<ssize_t>(text.size()));
    return text;
  }

  const ScopedFd file_{memfd_create("log", MFD_CLOEXEC)};
  Log log_;
  off_t read_to_ = 0;
};

}  // namespace lwt::loop
