#include "control/base/log.h"

#include <sys/time.h>
#include <syslog.h>
#include <time.h>

#include <algorithm>

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

std::string WithTime(LogLevel level, const std::string& text) {
  timeval now{};
  gettimeofday(&now, nullptr);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  return absl::StrFormat(
      "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s\n", parts.tm_year + 1900,
      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
      parts.tm_sec, static_cast<int>(now.tv_usec / 1000), NameOf(level), text);
}

}  // namespace

std::string Log::LineOf(LogLevel level, const std::string& text) const {
  std::string line = journal_
                         ? absl::StrFormat("<%d>%s\n", PriorityOf(level), text)
                         : WithTime(level, text);
  // Peers' texts must not forge lines of their own.
  std::replace_if(
      line.begin(), line.end() - 1,
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; },
      ' ');
  return line;
}

void Log::WriteLine(LogLevel level, const std::string& text) const {
  sink_.Write(LineOf(level, text), [this](uint64_t lost) {
    return LineOf(LogLevel::kWarn,
                  config::Concat("lines of this log that were lost, as whoever "
                                 "reads it did not take them: ",
                                 lost));
  });
}

}  // namespace lwt::loop
