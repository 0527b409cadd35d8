// Which inner flows were shown a loss lately: what is lost on a full line and
// repaired is told to whoever sends inside, once a round trip for each flow
// (docs/decisions/0005).
//
// A place for each hash: two flows of one place are each shown some more.
// Owned by one worker; 4 KiB.
#pragma once

#include <array>
#include <cstdint>

namespace lwt {

class ShownLosses {
 public:
  // True, and noted, where the flow was shown none for `gap_us`.
  bool IsDue(uint32_t flow_hash, uint64_t now_us, uint64_t gap_us) {
    Place& place = places_[flow_hash % kPlaces];
    if (place.hash == flow_hash && now_us - place.us < gap_us) return false;
    place = {now_us, flow_hash};
    return true;
  }

 private:
  static constexpr size_t kPlaces = 256;
  struct Place {
    uint64_t us = 0;
    uint32_t hash = 0;
  };

  std::array<Place, kPlaces> places_{};
};

}  // namespace lwt
