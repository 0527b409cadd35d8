// Jitter: numbers whose quality matters less than that two gateways differ.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "control/handshake/crypto.h"

namespace lwt::peer {

using handshake::RandomSource;

// Evenly in [low, high].
inline uint64_t RandomBetween(RandomSource random, uint64_t low,
                              uint64_t high) {
  uint64_t number = 0;
  std::array<uint8_t, sizeof(number)> bytes;
  random(bytes);
  std::memcpy(&number, bytes.data(), sizeof(number));
  return low + number % (high - low + 1);
}

}  // namespace lwt::peer
