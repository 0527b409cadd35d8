// What an operator calls a client.
#pragma once

#include <algorithm>
#include <string_view>

namespace lwt {

// 1 to 32 of a-z, 0-9 and "-", the first one a letter: no address, network or
// key is one.
constexpr bool IsPeerName(std::string_view text) {
  if (text.empty() || text.size() > 32) return false;
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
         });
}

}  // namespace lwt
