// Text that may come from a peer or a kernel, made fit for a terminal and for
// JSON: every byte that is not printable ASCII becomes a question mark.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace lwt::api {

inline std::string Printable(std::string_view text) {
  std::string clean(text);
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return c < ' ' || c > '~'; },
      '?');
  return clean;
}

}  // namespace lwt::api
