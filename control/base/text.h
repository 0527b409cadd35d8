// The border between the std strings of this project and Abseil 20220623,
// whose string_view is a type of its own.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace lwt::config {

inline absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

inline std::string_view ToStd(absl::string_view text) {
  return {text.data(), text.size()};
}

// absl::StrCat over texts of either kind and numbers.
template <typename... Parts>
std::string Concat(const Parts&... parts) {
  auto piece = [](const auto& part) {
    if constexpr (std::is_convertible_v<decltype(part), std::string_view>) {
      return ToAbsl(part);
    } else {
      return part;
    }
  };
  return absl::StrCat(piece(parts)...);
}

// An InvalidArgument status of the joined parts.
template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(Concat(parts...));
}

}  // namespace lwt::config
