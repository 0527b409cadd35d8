#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "drivers/galois.h"
#include "drivers/galois_passes.h"

// Of each function here, for one translation unit alone would hand wide code to
// all that share an inline function with it.
#define LWT_GFNI __attribute__((target("gfni,avx512f,avx512bw,bmi2")))

namespace lwt {
namespace {

using galois::kMostSources;
using galois::kTableBytes;

constexpr size_t kVector = 64;  // bytes

constexpr uint8_t TimesTwo(uint8_t value) {
  return static_cast<uint8_t>((value << 1) ^ ((value & 0x80) != 0 ? 0x1d : 0));
}

// The 8×8 matrix over GF(2) that multiplies by `coefficient`: byte 7 − i holds
// row i, whose bit j says that bit j of a factor turns bit i of the product.
constexpr uint64_t MatrixOf(uint8_t coefficient) {
  uint64_t matrix = 0;
  uint8_t column = coefficient;  // times 2^j
  for (unsigned j = 0; j < 8; ++j, column = TimesTwo(column)) {
    for (unsigned i = 0; i < 8; ++i) {
      const uint64_t bit = (column >> i) & 1U;
      matrix |= bit << (8 * (7 - i) + j);
    }
  }
  return matrix;
}

constexpr std::array<uint64_t, 256> kMatrices = [] {
  std::array<uint64_t, 256> matrices{};
  for (unsigned i = 0; i < matrices.size(); ++i) {
    matrices[i] = MatrixOf(static_cast<uint8_t>(i));
  }
  return matrices;
}();

// A table begins with the products of 0, 1, 2, …
uint64_t MatrixOfTable(const uint8_t* table) { return kMatrices[table[1]]; }

// Vectors that are taken at once, or the first bytes of one. Whole ones go
// without a mask: what a masked store wrote has to reach the cache before it
// can be loaded again.
template <size_t kCount>
struct Whole {
  static constexpr size_t kVectors = kCount;

  LWT_GFNI __m512i Load(const uint8_t* from) const {
    return _mm512_loadu_si512(from);
  }
  LWT_GFNI void Store(uint8_t* to, __m512i bytes) const {
    _mm512_storeu_si512(to, bytes);
  }
};

struct Part {
  static constexpr size_t kVectors = 1;

  LWT_GFNI explicit Part(size_t count)
      : mask(_bzhi_u64(~uint64_t{0}, static_cast<unsigned>(count))) {}
  LWT_GFNI __m512i Load(const uint8_t* from) const {
    return _mm512_maskz_loadu_epi8(mask, from);
  }
  LWT_GFNI void Store(uint8_t* to, __m512i bytes) const {
    _mm512_mask_storeu_epi8(to, mask, bytes);
  }

  __mmask64 mask;
};

// Takes what is at `at`, in steps that end with a cache line of the first
// result, or each store would touch two: what is written together lies alike.
template <size_t kAtOnce, typename Step>
LWT_GFNI void InSteps(size_t length, const uint8_t* out, const Step& step) {
  const size_t to_line = kVector - reinterpret_cast<uintptr_t>(out) % kVector;
  size_t at = 0;
  if (to_line < kVector) {
    at = std::min(length, to_line);
    step(Part(at), 0);
  }
  for (; length - at >= kAtOnce * kVector; at += kAtOnce * kVector) {
    step(Whole<kAtOnce>(), at);
  }
  for (; length - at >= kVector; at += kVector) step(Whole<1>(), at);
  if (at < length) step(Part(length - at), at);
}

template <size_t kRows>
class Encode {
 public:
  Encode(size_t sources, const uint8_t* tables, uint8_t* const* in,
         uint8_t* const* out)
      : sources_(sources), in_(in), out_(out) {
    for (size_t i = 0; i < sources; ++i) {
      for (size_t row = 0; row < kRows; ++row) {
        matrices_[i][row] =
            MatrixOfTable(tables + (row * sources + i) * kTableBytes);
      }
    }
  }

  template <typename Vectors>
  LWT_GFNI void operator()(const Vectors& vectors, size_t at) const {
    __m512i sums[kRows][Vectors::kVectors] = {};
    for (size_t i = 0; i < sources_; ++i) {
      const uint8_t* from = in_[i] + at;
      __m512i bytes[Vectors::kVectors];
      for (size_t v = 0; v < Vectors::kVectors; ++v) {
        bytes[v] = vectors.Load(from + v * kVector);
      }
      for (size_t row = 0; row < kRows; ++row) {
        const auto matrix =
            _mm512_set1_epi64(static_cast<int64_t>(matrices_[i][row]));
        for (size_t v = 0; v < Vectors::kVectors; ++v) {
          sums[row][v] ^= _mm512_gf2p8affine_epi64_epi8(bytes[v], matrix, 0);
        }
      }
    }
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t v = 0; v < Vectors::kVectors; ++v) {
        vectors.Store(out_[row] + at + v * kVector, sums[row][v]);
      }
    }
  }

 private:
  const size_t sources_;
  uint8_t* const* const in_;
  uint8_t* const* const out_;
  std::array<std::array<uint64_t, kRows>, kMostSources> matrices_;
};

template <size_t kRows>
class Update {
 public:
  LWT_GFNI Update(size_t stride, const uint8_t* tables, const uint8_t* in,
                  uint8_t* const* out)
      : in_(in) {
    for (size_t row = 0; row < kRows; ++row) {
      out_[row] = out[row];
      matrices_[row] = _mm512_set1_epi64(
          static_cast<int64_t>(MatrixOfTable(tables + row * stride)));
    }
  }

  template <typename Vector>
  LWT_GFNI void operator()(const Vector& vector, size_t at) const {
    const __m512i bytes = vector.Load(in_ + at);
    for (size_t row = 0; row < kRows; ++row) {
      const __m512i sum = vector.Load(out_[row] + at);
      vector.Store(out_[row] + at, sum ^ _mm512_gf2p8affine_epi64_epi8(
                                             bytes, matrices_[row], 0));
    }
  }

 private:
  const uint8_t* const in_;
  std::array<uint8_t*, kRows> out_;
  __m512i matrices_[kRows];
};

template <size_t kRows>
LWT_GFNI void EncodeRows(size_t length, size_t sources, const uint8_t* tables,
                         uint8_t* const* in, uint8_t* const* out) {
  // Few rows make little of a source that was found: they take more of it.
  constexpr size_t kAtOnce = std::max(size_t{1}, 4 / kRows);
  InSteps<kAtOnce>(length, out[0], Encode<kRows>(sources, tables, in, out));
}

template <size_t kRows>
LWT_GFNI void UpdateRows(size_t length, size_t stride, const uint8_t* tables,
                         const uint8_t* in, uint8_t* const* out) {
  InSteps<1>(length, out[0], Update<kRows>(stride, tables, in, out));
}

}  // namespace

bool GfniIsThere() {
  return __builtin_cpu_supports("gfni") != 0 &&
         __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("bmi2") != 0;
}

void EncodeByGfni(int length, int sources, int rows, uint8_t* tables,
                  uint8_t** in, uint8_t** out) {
  static constexpr std::array kForms = {&EncodeRows<1>, &EncodeRows<2>,
                                        &EncodeRows<3>, &EncodeRows<4>,
                                        &EncodeRows<5>, &EncodeRows<6>};
  const auto count = static_cast<size_t>(sources);
  galois::InPasses(static_cast<size_t>(rows), [&](size_t at_once, size_t row) {
    kForms[at_once - 1](static_cast<size_t>(length), count,
                        tables + row * count * kTableBytes, in, out + row);
  });
}

void UpdateByGfni(int length, int sources, int rows, int source,
                  uint8_t* tables, uint8_t* in, uint8_t** out) {
  static constexpr std::array kForms = {&UpdateRows<1>, &UpdateRows<2>,
                                        &UpdateRows<3>, &UpdateRows<4>,
                                        &UpdateRows<5>, &UpdateRows<6>};
  const size_t stride = static_cast<size_t>(sources) * kTableBytes;
  const uint8_t* first = tables + static_cast<size_t>(source) * kTableBytes;
  galois::InPasses(static_cast<size_t>(rows), [&](size_t at_once, size_t row) {
    kForms[at_once - 1](static_cast<size_t>(length), stride,
                        first + row * stride, in, out + row);
  });
}

}  // namespace lwt
