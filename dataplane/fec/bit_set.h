// Sets of shards or parity rows, a bit each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace lwt::fec {

// Calls visit(index) for each bit of the set, ascending.
template <class Visit>
void ForEachBit(uint64_t set, const Visit& visit) {
  for (; set != 0; set &= set - 1) {
    visit(static_cast<size_t>(std::countr_zero(set)));
  }
}

}  // namespace lwt::fec
