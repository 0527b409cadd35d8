// Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section
// 6.4): the product with this spreads neighbouring numbers over the upper bits.
#pragma once

#include <cstdint>

namespace lwt {

// 2^64 over the golden ratio, made odd.
inline constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

}  // namespace lwt
