// For the implementations of drivers/galois.h.
#pragma once

#include <algorithm>
#include <cstddef>

namespace lwt::galois {

inline constexpr size_t kTableBytes = 32;   // ReedSolomon::kTableBytes
inline constexpr size_t kMostSources = 64;  // ReedSolomon::kMaxData

// Rows done in one pass over the sources: their sums stay in registers.
inline constexpr size_t kMostRows = 6;

// Calls one(rows, first) for as many rows at once as there is a form of.
template <typename One>
void InPasses(size_t rows, const One& one) {
  for (size_t row = 0; row < rows; row += kMostRows) {
    one(std::min(rows - row, kMostRows), row);
  }
}

}  // namespace lwt::galois
