// The gateway's log: one line a message on standard error, with time and level;
// in the journal's way where that is what reads it (sd-daemon(3)): "<6>" for
// the level, which is then the line's priority, and no time.
//
// Any thread: a line is one write(2), which never waits (log_sink.h). For what
// this side does itself; what a peer or a stranger causes goes through
// RemoteLog (remote_log.h), which bounds it.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "control/base/events.h"
#include "control/base/log_level.h"
#include "control/base/log_sink.h"
#include "control/base/text.h"

namespace lwt::loop {

using lwt::LogLevel;

class Log {
 public:
  explicit Log(LogLevel level, int fd = 2, bool journal = false)
      : level_(level), sink_(fd), journal_(journal) {}

  void SetLevel(LogLevel level) {
    level_.store(level, std::memory_order_relaxed);
  }

  // Texts and numbers, joined. No secret is ever passed.
  template <typename... Parts>
  void Error(const Parts&... parts) const {
    Write(LogLevel::kError, parts...);
  }
  template <typename... Parts>
  void Warn(const Parts&... parts) const {
    Write(LogLevel::kWarn, parts...);
  }
  template <typename... Parts>
  void Info(const Parts&... parts) const {
    Write(LogLevel::kInfo, parts...);
  }
  template <typename... Parts>
  void Debug(const Parts&... parts) const {
    Write(LogLevel::kDebug, parts...);
  }

  bool Shows(LogLevel level) const {
    return level <= level_.load(std::memory_order_relaxed);
  }
  // The same of what stays among the events too, whatever is shown of the log.
  // Control thread.
  template <typename... Parts>
  void Tell(LogLevel level, EventKind kind, const Parts&... parts) const {
    WriteEvent(level, kind, config::Concat(parts...));
  }
  EventRing& events() const { return events_; }

  template <typename... Parts>
  void Write(LogLevel level, const Parts&... parts) const {
    if (Shows(level)) WriteLine(level, config::Concat(parts...));
  }

 private:
  std::string LineOf(LogLevel level, const std::string& text,
                     uint64_t unix_ms) const;
  void WriteLine(LogLevel level, const std::string& text,
                 uint64_t unix_ms) const;
  void WriteLine(LogLevel level, const std::string& text) const;
  void WriteEvent(LogLevel level, EventKind kind, std::string text) const;

  std::atomic<LogLevel> level_;
  mutable LogSink sink_;
  mutable EventRing events_;
  bool journal_;
};

}  // namespace lwt::loop
