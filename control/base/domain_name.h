// Which text names a domain (RFC 1035 §2.3.1, and the underscores of RFC 8552).
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace lwt {

inline constexpr size_t kLongestDomain = 253;
inline constexpr size_t kLongestLabel = 63;

// Letters, digits, '_' and, inside, '-'.
inline bool IsDomainLabel(std::string_view label) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !label.empty() && label.size() <= kLongestLabel &&
         label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_';
         });
}

// "corp.example": labels and dots between them. The last one is no number, so
// that no address is taken for a domain.
inline bool IsDomainName(std::string_view text) {
  if (text.empty() || text.size() > kLongestDomain) return false;
  for (;;) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!IsDomainLabel(label)) return false;
    if (dot == std::string_view::npos) {
      return !std::all_of(label.begin(), label.end(),
                          [](char c) { return c >= '0' && c <= '9'; });
    }
    text.remove_prefix(dot + 1);
  }
}

}  // namespace lwt
