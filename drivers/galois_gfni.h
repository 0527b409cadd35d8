// Sums of products over GF(2^8), polynomial 0x11d, by the Galois-field
// instructions (GFNI) on 512-bit vectors: a product with a constant is one
// affine transform of eight bits (Intel SDM, GF2P8AFFINEQB), where the nibble
// tables of ISA-L take two shuffles, two masks, a shift and an xor.
//
// Both functions take the place of ISA-L's of the same shape and read its
// tables (ec_init_tables, 32 bytes a coefficient), of which they need the
// coefficient alone. Its version 2.30, which Debian 12 has, knows no GFNI. At
// most 64 sources. Only where GfniIsThere().
#pragma once

#include <cstdint>

namespace lwt {

bool GfniIsThere();

// out[row] = sum of coefficient (row, i) times in[i], `length` bytes each.
void EncodeByGfni(int length, int sources, int rows, uint8_t* tables,
                  uint8_t** in, uint8_t** out);

// Adds coefficient (row, source) times `in` to out[row].
void UpdateByGfni(int length, int sources, int rows, int source,
                  uint8_t* tables, uint8_t* in, uint8_t** out);

}  // namespace lwt
