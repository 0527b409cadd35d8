// The gateway's log: one line a message on standard error, with time and level.
//
// Any thread: a line is one write(2). Repeated reports are the caller's to
// limit (LogLimit).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "control/config/config.h"
#include "control/config/text.h"

namespace lwt::loop {

using config::LogLevel;

class Log {
 public:
  explicit Log(LogLevel level, int fd = 2) : level_(level), fd_(fd) {}

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

  bool Shows(LogLevel level) const { return level <= level_; }

 private:
  template <typename... Parts>
  void Write(LogLevel level, const Parts&... parts) const {
    if (Shows(level)) WriteLine(level, config::Concat(parts...));
  }
  void WriteLine(LogLevel level, const std::string& text) const;

  LogLevel level_;
  int fd_;
};

// Lets a message through at most once in a period.
class LogLimit {
 public:
  explicit LogLimit(uint64_t period_us) : period_us_(period_us) {}

  bool Allow(uint64_t now_us) {
    if (said_ && now_us < last_us_ + period_us_) return false;
    said_ = true;
    last_us_ = now_us;
    return true;
  }

 private:
  uint64_t period_us_;
  uint64_t last_us_ = 0;
  bool said_ = false;
};

}  // namespace lwt::loop
