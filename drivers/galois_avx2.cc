#include <immintrin.h>

#include <array>
#include <cstring>

#include "drivers/galois.h"
#include "drivers/galois_passes.h"

namespace lwt {
namespace {

using galois::kMostSources;
using galois::kTableBytes;

constexpr size_t kYmm = 32;  // bytes of a vector

// Vectors at `from`, each byte as its two halves.
template <size_t kVectors>
struct Nibbles {
  explicit Nibbles(const uint8_t* from) {
    const __m256i mask = _mm256_set1_epi8(0x0f);
    for (size_t v = 0; v < kVectors; ++v) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + v * kYmm));
      low[v] = bytes & mask;
      high[v] = _mm256_srli_epi16(bytes, 4) & mask;
    }
  }

  __m256i low[kVectors];
  __m256i high[kVectors];
};

__m256i HalfTable(const uint8_t* table) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}

template <size_t kRows>
class ByTables {
 public:
  ByTables(size_t sources, const uint8_t* tables, uint8_t* const* in,
           uint8_t* const* out)
      : sources_(sources), tables_(tables), in_(in), out_(out) {}

  // What is at `at`, kVectors at once. Inlined, or a call and its constants
  // would be a tenth of the work.
  template <size_t kVectors>
  __attribute__((always_inline)) void Step(size_t at) const {
    __m256i sums[kRows][kVectors] = {};
    for (size_t i = 0; i < sources_; ++i) {
      const Nibbles<kVectors> bytes(in_[i] + at);
      const uint8_t* table = tables_ + i * kTableBytes;
      for (size_t row = 0; row < kRows; ++row) {
        const __m256i low = HalfTable(table);
        const __m256i high = HalfTable(table + kTableBytes / 2);
        for (size_t v = 0; v < kVectors; ++v) {
          sums[row][v] ^= _mm256_shuffle_epi8(low, bytes.low[v]) ^
                          _mm256_shuffle_epi8(high, bytes.high[v]);
        }
        table += sources_ * kTableBytes;
      }
    }
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t v = 0; v < kVectors; ++v) {
        _mm256_storeu_si256(
            reinterpret_cast<__m256i*>(out_[row] + at + v * kYmm),
            sums[row][v]);
      }
    }
  }

 private:
  const size_t sources_;
  const uint8_t* const tables_;
  uint8_t* const* const in_;
  uint8_t* const* const out_;
};

// Less than a vector, by way of whole ones.
template <size_t kRows>
void EncodeShort(size_t length, size_t sources, const uint8_t* tables,
                 uint8_t* const* in, uint8_t* const* out) {
  std::array<uint8_t, kYmm> sums[kRows];
  std::array<uint8_t*, kRows> to;
  for (size_t row = 0; row < kRows; ++row) to[row] = sums[row].data();
  std::array<uint8_t, kYmm> bytes[kMostSources];
  std::array<uint8_t*, kMostSources> from;
  for (size_t i = 0; i < sources; ++i) {
    bytes[i].fill(0);
    std::memcpy(bytes[i].data(), in[i], length);
    from[i] = bytes[i].data();
  }
  ByTables<kRows>(sources, tables, from.data(), to.data()).template Step<1>(0);
  for (size_t row = 0; row < kRows; ++row) {
    std::memcpy(out[row], to[row], length);
  }
}

template <size_t kRows>
void EncodeRowsByTables(size_t length, size_t sources, const uint8_t* tables,
                        uint8_t* const* in, uint8_t* const* out) {
  if (length < kYmm) {
    return EncodeShort<kRows>(length, sources, tables, in, out);
  }
  // As many sums as leave registers for the halves of as many vectors.
  constexpr size_t kAtOnce = kRows == 1 ? 4 : kRows <= 4 ? 2 : 1;
  const ByTables<kRows> encode(sources, tables, in, out);
  size_t at = 0;
  for (; length - at >= kAtOnce * kYmm; at += kAtOnce * kYmm) {
    encode.template Step<kAtOnce>(at);
  }
  for (; length - at >= kYmm; at += kYmm) encode.template Step<1>(at);
  // The rest once more with some of what is done.
  if (at < length) encode.template Step<1>(length - kYmm);
}

}  // namespace

void EncodeByAvx2(int length, int sources, int rows, uint8_t* tables,
                  uint8_t** in, uint8_t** out) {
  static constexpr std::array kForms = {
      &EncodeRowsByTables<1>, &EncodeRowsByTables<2>, &EncodeRowsByTables<3>,
      &EncodeRowsByTables<4>, &EncodeRowsByTables<5>, &EncodeRowsByTables<6>};
  const auto count = static_cast<size_t>(sources);
  galois::InPasses(static_cast<size_t>(rows), [&](size_t at_once, size_t row) {
    kForms[at_once - 1](static_cast<size_t>(length), count,
                        tables + row * count * kTableBytes, in, out + row);
  });
}

}  // namespace lwt
