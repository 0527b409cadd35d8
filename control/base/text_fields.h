// Reading small text files of lines and fields, softly.
#pragma once

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace lwt::host {

// Takes what stands before the first `separator`, and that, off the front; all
// of it when there is none.
inline std::string_view TakeField(std::string_view& text, char separator) {
  const size_t size = std::min(text.find(separator), text.size());
  const std::string_view field = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return field;
}

// False unless `text` is a whole decimal number that `value` can hold.
template <typename T>
[[nodiscard]] bool ReadNumber(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

}  // namespace lwt::host
