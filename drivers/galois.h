// Sums of products over GF(2^8), polynomial 0x11d, where ISA-L's own take
// longer. Each function takes the place of the library's of the same shape and
// reads its tables (ec_init_tables: 32 bytes a coefficient, the products of 0 …
// 15 and those of 16 times 0 … 15). At most 64 sources; results are none of the
// sources.
//
// By GFNI on 512-bit vectors a product with a constant is one affine transform
// of eight bits (Intel SDM, GF2P8AFFINEQB), where tables take two shuffles, two
// masks, a shift and an xor. Debian 12's ISA-L, 2.30, knows no GFNI. By AVX2
// the arithmetic is the library's, but a table that was fetched serves up to
// four vectors.
#pragma once

#include <cstdint>

namespace lwt {

// out[row] = sum of coefficient (row, i) times in[i], `length` bytes each.
void EncodeByAvx2(int length, int sources, int rows, uint8_t* tables,
                  uint8_t** in, uint8_t** out);

// The other two only where this holds.
bool GfniIsThere();

void EncodeByGfni(int length, int sources, int rows, uint8_t* tables,
                  uint8_t** in, uint8_t** out);

// Adds coefficient (row, source) times `in` to out[row].
void UpdateByGfni(int length, int sources, int rows, int source,
                  uint8_t* tables, uint8_t* in, uint8_t** out);

}  // namespace lwt
