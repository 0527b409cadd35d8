// Where the lines of a log go: a descriptor that is never waited for.
//
// Whoever reads a log may stop: a pager that nobody scrolls, a terminal under
// Ctrl-S, a journal that hangs. What it does not take then is lost and counted,
// and told in front of the next line that it takes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/scoped_fd.h"

namespace lwt::loop {

// Any thread.
class LogSink {
 public:
  // Makes a line that tells how many were lost.
  using LossLine = std::function<std::string(uint64_t lost)>;

  // `fd` stays the caller's. The flags of its open file are those of other
  // processes too, so they stay: a pipe and a terminal are opened once more.
  explicit LogSink(int fd);

  // A line with its line feed, or nothing of it.
  void Write(std::string_view line, const LossLine& loss_line);

 private:
  enum class Way : uint8_t { kWrite, kPolled, kSend };

  // Whether all of it is out.
  [[nodiscard]] bool Put(std::string_view text);
  // As write(2), but 0 or an error where there is no room.
  ssize_t PutSome(std::string_view text) const;

  const int fd_;
  std::optional<ScopedFd> own_;  // of ours alone, never blocks
  Way way_ = Way::kWrite;
  std::atomic<uint64_t> lost_{0};
  std::atomic<bool> torn_{false};  // a line's end is not out
};

}  // namespace lwt::loop
