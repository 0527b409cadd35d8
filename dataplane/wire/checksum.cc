#include "dataplane/wire/checksum.h"

#include <immintrin.h>

namespace lwt::wire {
namespace {

// Bytes taken by one round of the vector loop: four accumulators of 32 bytes,
// so that no addition waits for the one before it.
constexpr size_t kRound = 128;

// Each round adds two 32-bit halves of every 64-bit lane, so a lane holds 2^31
// rounds without overflow: far above any frame.
inline __m256i AddWords(__m256i sum, __m256i data) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  sum = _mm256_add_epi64(sum, _mm256_and_si256(data, low));
  return _mm256_add_epi64(sum, _mm256_srli_epi64(data, 32));
}

inline uint64_t SumLanes(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i sum =
      _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum),
                                     _mm256_extracti128_si256(sum, 1));
  return static_cast<uint64_t>(_mm_extract_epi64(half, 0)) +
         static_cast<uint64_t>(_mm_extract_epi64(half, 1));
}

template <bool kCopy>
inline __m256i Take(uint8_t* to, const uint8_t* from, size_t at) {
  const __m256i data =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + at));
  if constexpr (kCopy) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + at), data);
  }
  return data;
}

template <bool kCopy>
inline uint64_t SumTail(uint8_t* to, const uint8_t* from, size_t size) {
  uint64_t sum = 0;
  size_t at = 0;
  for (; at + 4 <= size; at += 4) {
    uint32_t word;
    std::memcpy(&word, from + at, 4);
    if constexpr (kCopy) std::memcpy(to + at, &word, 4);
    sum += word;
  }
  if (at < size) {
    uint32_t word = 0;
    std::memcpy(&word, from + at, size - at);
    if constexpr (kCopy) std::memcpy(to + at, from + at, size - at);
    sum += word;
  }
  return sum;
}

template <bool kCopy>
inline uint64_t Sum(uint8_t* to, const uint8_t* from, size_t size) {
  __m256i a = _mm256_setzero_si256();
  __m256i b = a;
  __m256i c = a;
  __m256i d = a;
  size_t at = 0;
  for (; at + kRound <= size; at += kRound) {
    a = AddWords(a, Take<kCopy>(to, from, at));
    b = AddWords(b, Take<kCopy>(to, from, at + 32));
    c = AddWords(c, Take<kCopy>(to, from, at + 64));
    d = AddWords(d, Take<kCopy>(to, from, at + 96));
  }
  for (; at + 32 <= size; at += 32) {
    a = AddWords(a, Take<kCopy>(to, from, at));
  }
  return SumLanes(a, b, c, d) +
         SumTail<kCopy>(kCopy ? to + at : nullptr, from + at, size - at);
}

}  // namespace

uint64_t ChecksumAdd(const uint8_t* data, size_t size) {
  return Sum<false>(nullptr, data, size);
}

uint64_t CopyAndChecksum(uint8_t* to, const uint8_t* from, size_t size) {
  return Sum<true>(to, from, size);
}

}  // namespace lwt::wire
