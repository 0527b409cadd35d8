// Bytes of a random generator, one of each number it gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lwt {

template <typename Generator>
std::vector<uint8_t> RandomBytes(Generator& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

}  // namespace lwt
