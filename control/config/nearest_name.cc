#include "control/config/nearest_name.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace lwt::config {

size_t EditDistance(std::string_view a, std::string_view b) {
  // Three rows suffice: a swap looks two rows back.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string_view NearestName(std::string_view name,
                             std::span<const std::string_view> candidates) {
  constexpr size_t kLongestName = 64;
  if (name.empty() || name.size() > kLongestName) return {};
  size_t limit = std::max<size_t>(1, name.size() / 3);
  std::string_view best;
  for (std::string_view candidate : candidates) {
    size_t distance = EditDistance(name, candidate);
    // A one-letter flag is one substitution from every other: no hint.
    if (distance > limit || distance >= candidate.size()) continue;
    limit = distance - 1;
    best = candidate;
    if (distance == 0) break;
  }
  return best;
}

}  // namespace lwt::config
