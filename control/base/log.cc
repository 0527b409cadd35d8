#include "control/base/log.h"

#include <sys/time.h>
#include <syslog.h>

#include <utility>

#include "absl/strings/str_format.h"

namespace lwt::loop {
namespace {

const char* NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarn:
      return "warn ";
    case LogLevel::kInfo:
      return "info ";
    case LogLevel::kDebug:
      return "debug";
  }
  return "?";
}

// syslog(3)'s number of a level.
int PriorityOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return LOG_ERR;
    case LogLevel::kWarn:
      return LOG_WARNING;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kDebug:
      return LOG_DEBUG;
  }
  return LOG_ERR;
}

uint64_t UnixMs() {
  timeval now{};
  gettimeofday(&now, nullptr);
  return static_cast<uint64_t>(now.tv_sec) * 1000 +
         static_cast<uint64_t>(now.tv_usec) / 1000;
}

}  // namespace

std::string Log::LineOf(LogLevel level, const std::string& text,
                        uint64_t unix_ms) const {
  const std::string front =
      journal_ ? absl::StrFormat("<%d>", PriorityOf(level))
               : config::Concat(TimeText(unix_ms), " ", NameOf(level), " ");
  return front + OneLine(text) + "\n";
}

void Log::WriteLine(LogLevel level, const std::string& text,
                    uint64_t unix_ms) const {
  sink_.Write(LineOf(level, text, unix_ms), [this, unix_ms](uint64_t lost) {
    return LineOf(LogLevel::kWarn,
                  config::Concat("lines of this log that were lost, as whoever "
                                 "reads it did not take them: ",
                                 lost),
                  unix_ms);
  });
}

void Log::WriteLine(LogLevel level, const std::string& text) const {
  WriteLine(level, text, UnixMs());
}

void Log::WriteEvent(LogLevel level, EventKind kind, std::string text) const {
  const Event& event = events_.Add({.unix_ms = UnixMs(),
                                    .level = level,
                                    .kind = kind,
                                    .text = std::move(text)});
  if (Shows(level)) WriteLine(event.level, event.text, event.unix_ms);
}

}  // namespace lwt::loop
