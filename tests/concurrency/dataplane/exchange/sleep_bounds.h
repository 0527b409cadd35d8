// How long threads sleep that nobody wakes.
#pragma once

#include <chrono>
#include <cstdint>

namespace lwt {

// A sleep this long means that a wake-up was lost.
inline constexpr std::chrono::seconds kLost{20};
inline constexpr uint64_t kSleepUs = 30'000'000;

}  // namespace lwt
