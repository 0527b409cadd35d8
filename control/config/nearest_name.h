// "Did you mean ...?": the known name nearest to a mistyped one.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace lwt::config {

// Damerau-Levenshtein distance (optimal string alignment): insertions,
// deletions, substitutions and swaps of neighbours cost one each. O(a*b).
size_t EditDistance(std::string_view a, std::string_view b);

// The nearest candidate, the first among equals; empty when none is within a
// third of the name's length (but at least 1), or the name is over 64 bytes.
std::string_view NearestName(std::string_view name,
                             std::span<const std::string_view> candidates);

}  // namespace lwt::config
