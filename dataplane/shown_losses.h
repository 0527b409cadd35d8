// Which inner flows were shown a loss lately: what is lost on a full line and
// repaired is told to whoever sends inside, once a round trip for each flow
// (docs/decisions/0005).
//
// Flows whose hashes differ by a multiple of the places share one, and what is
// shown to both: where they are many, each is shown less, never more. So nobody
// can have what is repaired for others dropped.
//
// Owned by one worker; 2 KiB.
#pragma once

#include <array>
#include <cstdint>

namespace lwt {

class ShownLosses {
 public:
  // True, and noted, where none of the flow's place was shown one for `gap_us`.
  bool IsDue(uint32_t flow_hash, uint64_t now_us, uint64_t gap_us) {
    uint64_t& shown_us = shown_us_[flow_hash % kPlaces];
    if (now_us - shown_us < gap_us) return false;
    shown_us = now_us;
    return true;
  }

 private:
  static constexpr size_t kPlaces = 256;

  std::array<uint64_t, kPlaces> shown_us_{};
};

}  // namespace lwt
