#include "drivers/reed_solomon.h"

#include <isa-l/erasure_code.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstring>

// In the library, but not in its header.
extern "C" void ec_encode_data_update_avx512(int len, int k, int rows,
                                             int vec_i, unsigned char* g_tbls,
                                             unsigned char* data,
                                             unsigned char** coding);

namespace lwt {
namespace {

constexpr size_t kColumns = ReedSolomon::kMaxData;

// What a calibration works on: one full record and the commonest code.
constexpr size_t kSampleBytes = 1400;
constexpr size_t kSampleParities = 3;
constexpr int kRunsPerRound = 1000;
constexpr int kRounds = 4;

// x_r − y_i in GF(2^8), where subtraction is xor.
uint8_t Difference(size_t row, size_t index) {
  return static_cast<uint8_t>((kColumns + row) ^ index);
}

struct Sample {
  AeadKey key;
  std::array<uint8_t, kSampleBytes> shard{};
  std::array<std::array<uint8_t, kSampleBytes>, kSampleParities> parities{};
};

// Cycles of one round: seal, then encode, as the pipeline does.
uint64_t TimeRound(const Aead& aead, const ReedSolomon& code, Sample& sample) {
  std::array<uint8_t*, kSampleParities> parities;
  for (size_t i = 0; i < kSampleParities; ++i) {
    parities[i] = sample.parities[i].data();
  }
  const uint8_t iv[kAeadIvSize] = {};
  uint8_t tag[kAeadTagSize];
  const uint64_t start = __rdtsc();
  for (int run = 0; run < kRunsPerRound; ++run) {
    code.Add(static_cast<size_t>(run) % kColumns, sample.shard, 0, parities);
    aead.Seal(sample.key, iv, {}, sample.shard.data(), kSampleBytes, tag);
  }
  return __rdtsc() - start;
}

}  // namespace

ReedSolomon::ReedSolomon(Code code)
    : update_(code == Code::kAvx512 ? &ec_encode_data_update_avx512
                                    : &ec_encode_data_update_avx2),
      tables_(kMaxParity * kMaxData * kTableBytes) {
  std::vector<uint8_t> matrix;
  for (size_t row = 0; row < kMaxParity; ++row) {
    for (size_t index = 0; index < kMaxData; ++index) {
      matrix.push_back(Coefficient(row, index));
    }
  }
  ec_init_tables(kMaxData, kMaxParity, matrix.data(), tables_.data());
}

bool ReedSolomon::Supports(Code code) {
  if (code == Code::kAvx2) return __builtin_cpu_supports("avx2") != 0;
  return __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0;
}

ReedSolomon::Code ReedSolomon::Calibrate(const Aead& aead) {
  if (!Supports(Code::kAvx512)) return Code::kAvx2;
  const std::array<ReedSolomon, 2> codes = {ReedSolomon(Code::kAvx2),
                                            ReedSolomon(Code::kAvx512)};
  Sample sample;
  const std::array<uint8_t, kAeadKeySize> key{};
  aead.ExpandKey(key, sample.key);
  std::array<uint64_t, 2> best = {UINT64_MAX, UINT64_MAX};
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < codes.size(); ++i) {
      // The clock needs a round to settle.
      TimeRound(aead, codes[i], sample);
      best[i] = std::min(best[i], TimeRound(aead, codes[i], sample));
    }
  }
  return best[1] < best[0] ? Code::kAvx512 : Code::kAvx2;
}

void ReedSolomon::Add(size_t index, std::span<const uint8_t> shard,
                      size_t first_row,
                      std::span<uint8_t* const> parities) const {
  const size_t skipped = first_row * kMaxData * kTableBytes;
  update_(static_cast<int>(shard.size()), kMaxData,
          static_cast<int>(parities.size()), static_cast<int>(index),
          const_cast<uint8_t*>(&tables_[skipped]),
          const_cast<uint8_t*>(shard.data()),
          const_cast<uint8_t**>(parities.data()));
}

// Cauchy: with x_a of row a and y_b of shard b, the inverse's entry (b, a) is
//   prod_k (x_a + y_k)(x_k + y_b)  over
//   (x_a + y_b) prod_{k≠a} (x_a + x_k) prod_{k≠b} (y_b + y_k),
// where + and − are xor.
void ReedSolomon::InvertTables(std::span<const uint8_t> missing,
                               std::span<const uint8_t> rows,
                               std::span<uint8_t> out) {
  const size_t size = missing.size();
  for (size_t b = 0; b < size; ++b) {
    for (size_t a = 0; a < size; ++a) {
      uint8_t above = 1;
      uint8_t below = Difference(rows[a], missing[b]);
      for (size_t k = 0; k < size; ++k) {
        above = gf_mul(above, Difference(rows[a], missing[k]));
        above = gf_mul(above, Difference(rows[k], missing[b]));
        if (k != a) below = gf_mul(below, rows[a] ^ rows[k]);
        if (k != b) below = gf_mul(below, missing[b] ^ missing[k]);
      }
      gf_vect_mul_init(gf_mul(above, gf_inv(below)),
                       &out[(b * size + a) * kTableBytes]);
    }
  }
}

void ReedSolomon::Multiply(RowTables inverse, std::span<uint8_t* const> sums,
                           size_t length, std::span<uint8_t* const> out) const {
  for (uint8_t* const shard : out) std::memset(shard, 0, length);
  for (size_t i = 0; i < sums.size(); ++i) {
    update_(static_cast<int>(length), static_cast<int>(sums.size()),
            static_cast<int>(out.size()), static_cast<int>(i),
            const_cast<uint8_t*>(inverse.data()), sums[i],
            const_cast<uint8_t**>(out.data()));
  }
}

uint8_t ReedSolomon::Coefficient(size_t row, size_t index) {
  return gf_inv(Difference(row, index));
}

}  // namespace lwt
