#include "control/handshake/hkdf.h"

#include <algorithm>

namespace lwt::handshake {

void HkdfSha256(ByteSpan salt, ByteSpan ikm, ByteSpan info,
                std::span<uint8_t> out) {
  constexpr std::array<uint8_t, 32> kZeroSalt{};
  WipedBytes<32> extracted;
  HmacSha256(salt.empty() ? ByteSpan(kZeroSalt) : salt, {ikm},
             extracted.bytes());
  WipedBytes<32> block;
  ByteSpan previous;
  for (uint8_t counter = 1; !out.empty(); ++counter) {
    HmacSha256(extracted.bytes(), {previous, info, ByteSpan(&counter, 1)},
               block.bytes());
    const size_t size = std::min(out.size(), block.size());
    std::memcpy(out.data(), block.data(), size);
    out = out.subspan(size);
    previous = block.bytes();
  }
}

}  // namespace lwt::handshake
