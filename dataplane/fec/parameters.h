// The code of a direction of a lane (docs/protocol.md#groups).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace lwt::fec {

inline constexpr uint8_t kMaxData = 64;
inline constexpr uint8_t kMaxParity = 32;
inline constexpr uint8_t kMaxStride = 16;
// Parities of the interleaved groups of a block, all together.
inline constexpr size_t kMaxBlockParities = 64;

// k data shards and m parities a group; `stride` groups take turns.
struct Parameters {
  uint8_t data = 0;  // 0: no FEC
  uint8_t parity = 0;
  uint8_t stride = 1;

  bool on() const { return data > 0 && parity > 0; }
  friend bool operator==(const Parameters&, const Parameters&) = default;
};

// Whether a received group may be of this form. A group with fewer parities
// than meant is one that closed early.
constexpr bool IsPossible(uint8_t data, uint8_t parity, uint8_t stride) {
  return data >= 1 && data <= kMaxData && parity >= 1 && parity <= kMaxParity &&
         stride >= 1 && stride <= kMaxStride;
}

// Parities of a group that closed with `shards` of parameters.data: more in
// proportion than a full one, since fewer shards average less, but one copy of
// a lone shard and never more parities than shards.
inline uint8_t ParitiesFor(const Parameters& parameters, size_t shards) {
  const double part = static_cast<double>(shards) / parameters.data;
  const double wanted = std::ceil(parameters.parity * std::sqrt(part));
  return static_cast<uint8_t>(
      std::min({wanted, static_cast<double>(shards),
                static_cast<double>(parameters.parity)}));
}

}  // namespace lwt::fec
