// How much of the log is shown.
#pragma once

#include <cstdint>

namespace lwt {

enum class LogLevel : uint8_t { kError, kWarn, kInfo, kDebug };

}  // namespace lwt
