// Text for whoever started a program.
#pragma once

#include <cstdio>
#include <string_view>

namespace lwt::cli {

inline void Print(FILE* stream, std::string_view text) {
  fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace lwt::cli
