// HKDF-SHA256 (RFC 5869).
#pragma once

#include "control/handshake/crypto.h"

namespace lwt::handshake {

// Extract and expand. `out` is at most 255 * 32 bytes (RFC 5869 §2.3). An empty
// salt means 32 zero bytes.
void HkdfSha256(ByteSpan salt, ByteSpan ikm, ByteSpan info,
                std::span<uint8_t> out);

}  // namespace lwt::handshake
