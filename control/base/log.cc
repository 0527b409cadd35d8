#include "control/base/log.h"

#include <sys/time.h>
#include <time.h>
#include <unistd.h>

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

}  // namespace

void Log::WriteLine(LogLevel level, const std::string& text) const {
  timeval now{};
  gettimeofday(&now, nullptr);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::string line = absl::StrFormat(
      "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s %s\n", parts.tm_year + 1900,
      parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
      parts.tm_sec, static_cast<int>(now.tv_usec / 1000), NameOf(level), text);
  // Peers' texts must not forge lines of their own.
  std::replace_if(
      line.begin(), line.end() - 1,
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; },
      ' ');
  size_t done = 0;
  while (done < line.size()) {
    ssize_t n = write(fd_, line.data() + done, line.size() - done);
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

}  // namespace lwt::loop
