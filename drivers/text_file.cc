#include "drivers/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <system_error>

namespace lwt {

std::string ReadTextFile(const std::string& path) {
  constexpr size_t kMaxBytes = 64 * 1024;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {};
  std::string text(kMaxBytes, '\0');
  size_t used = 0;
  while (used < kMaxBytes) {
    const ssize_t n = read(fd, text.data() + used, kMaxBytes - used);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    used += static_cast<size_t>(n);
  }
  close(fd);
  text.resize(used);
  return text;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<uint64_t> ParseNumber(std::string_view text, int base) {
  const std::string_view digits = Trim(text);
  const char* const end = digits.data() + digits.size();
  uint64_t value = 0;
  const auto result = std::from_chars(digits.data(), end, value, base);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<std::string_view> FindField(std::string_view text,
                                          std::string_view name) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const size_t colon = line.find(':');
    // Names in /proc/cpuinfo are padded with tabs.
    if (colon != std::string_view::npos &&
        Trim(line.substr(0, colon)) == name) {
      return Trim(line.substr(colon + 1));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace lwt
