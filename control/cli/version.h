// The project's version, from the build.
#pragma once

#include <string_view>

namespace lwt::cli {

std::string_view Version();  // "0.2.0"

}  // namespace lwt::cli
