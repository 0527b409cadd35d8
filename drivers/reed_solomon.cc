#include "drivers/reed_solomon.h"

#include <isa-l/erasure_code.h>
#include <x86intrin.h>

#include <algorithm>

#include "drivers/galois.h"

// In the library, but not in its header.
extern "C" {
void ec_encode_data_avx512(int len, int k, int rows, unsigned char* g_tbls,
                           unsigned char** data, unsigned char** coding);
void ec_encode_data_update_avx512(int len, int k, int rows, int vec_i,
                                  unsigned char* g_tbls, unsigned char* data,
                                  unsigned char** coding);
}

namespace lwt {
namespace {

// x of row 0; those of data shards lie below.
constexpr size_t kColumns = ReedSolomon::kMaxData;

// What a calibration works on: one full record and the commonest code.
constexpr size_t kSampleBytes = 1400;
constexpr size_t kSampleParities = 3;
// The clock settles while the first half of a round runs. Of the other half
// the fastest slice counts: a CPU shared with others is seldom left alone for
// long.
constexpr int kRounds = 4;
constexpr int kSettlingRuns = 500;
constexpr int kSlices = 10;
constexpr int kRunsPerSlice = 50;

// x_r − y_i in GF(2^8), where subtraction is xor.
uint8_t Difference(size_t row, size_t index) {
  return static_cast<uint8_t>((kColumns + row) ^ index);
}

// Cauchy: with x_a of row a and y_b of shard b, the inverse's entry (b, a) is
//   A_a · B_b / (x_a + y_b), with
//   A_a = prod_k (x_a + y_k) / prod_{k≠a} (x_a + x_k),
//   B_b = prod_k (x_k + y_b) / prod_{k≠b} (y_b + y_k),
// where + and − are xor.
class Inverse {
 public:
  Inverse(std::span<const uint8_t> missing, std::span<const uint8_t> rows)
      : missing_(missing), rows_(rows) {
    for (size_t i = 0; i < missing.size(); ++i) {
      uint8_t row[2] = {1, 1};  // above and below the line
      uint8_t shard[2] = {1, 1};
      for (size_t k = 0; k < missing.size(); ++k) {
        row[0] = gf_mul(row[0], Difference(rows[i], missing[k]));
        shard[0] = gf_mul(shard[0], Difference(rows[k], missing[i]));
        if (k == i) continue;
        row[1] = gf_mul(row[1], rows[i] ^ rows[k]);
        shard[1] = gf_mul(shard[1], missing[i] ^ missing[k]);
      }
      of_row_[i] = gf_mul(row[0], gf_inv(row[1]));
      of_shard_[i] = gf_mul(shard[0], gf_inv(shard[1]));
    }
  }

  uint8_t At(size_t b, size_t a) const {
    return gf_mul(gf_mul(of_row_[a], of_shard_[b]),
                  gf_inv(Difference(rows_[a], missing_[b])));
  }

 private:
  const std::span<const uint8_t> missing_;
  const std::span<const uint8_t> rows_;
  std::array<uint8_t, ReedSolomon::kMaxParity> of_row_;
  std::array<uint8_t, ReedSolomon::kMaxParity> of_shard_;
};

// Parities lie alike in their buffers, at a distance that is no power of two.
struct alignas(64) SampleParity {
  std::array<uint8_t, kSampleBytes> bytes{};
};

struct Sample {
  AeadKey key;
  std::array<SampleParity, kSampleParities> parities;
  std::array<uint8_t, kSampleBytes> shard{};
};

// Cycles of so many runs: encode, then seal, as the pipeline does.
uint64_t TimeRuns(const Aead& aead, const ReedSolomon& code, Sample& sample,
                  int runs) {
  std::array<uint8_t*, kSampleParities> parities;
  for (size_t i = 0; i < kSampleParities; ++i) {
    parities[i] = sample.parities[i].bytes.data();
  }
  const uint8_t iv[kAeadIvSize] = {};
  uint8_t tag[kAeadTagSize];
  const uint64_t start = __rdtsc();
  for (int run = 0; run < runs; ++run) {
    code.Add(static_cast<size_t>(run) % kColumns, sample.shard, 0, parities);
    aead.Seal(sample.key, iv, {}, sample.shard.data(), kSampleBytes, tag);
  }
  return __rdtsc() - start;
}

}  // namespace

ReedSolomon::Functions ReedSolomon::FunctionsOf(Code code) {
  switch (code) {
    case Code::kAvx2:
      break;
    case Code::kAvx512:
      return {&ec_encode_data_avx512, &ec_encode_data_update_avx512};
    case Code::kGfni:
      return {&EncodeByGfni, &UpdateByGfni};
  }
  return {&EncodeByAvx2, &ec_encode_data_update_avx2};
}

ReedSolomon::ReedSolomon(Code code)
    : functions_(FunctionsOf(code)),
      tables_(kMaxParity * kMaxData * kTableBytes) {
  // A shard's coefficients lie side by side: to the library each shard is a
  // code of one.
  std::vector<uint8_t> matrix;
  for (size_t index = 0; index < kMaxData; ++index) {
    for (size_t row = 0; row < kMaxParity; ++row) {
      matrix.push_back(Coefficient(row, index));
    }
  }
  ec_init_tables(kMaxParity, kMaxData, matrix.data(), tables_.data());
}

uint8_t* ReedSolomon::TablesOf(size_t index, size_t first_row) const {
  return const_cast<uint8_t*>(
      &tables_[(index * kMaxParity + first_row) * kTableBytes]);
}

void ReedSolomon::Begin(size_t index, std::span<const uint8_t> shard,
                        std::span<uint8_t* const> parities) const {
  // A code of one shard: written at once, rather than zeroed and added to.
  auto* data = const_cast<uint8_t*>(shard.data());
  functions_.encode(static_cast<int>(shard.size()), 1,
                    static_cast<int>(parities.size()), TablesOf(index, 0),
                    &data, const_cast<uint8_t**>(parities.data()));
}

bool ReedSolomon::Supports(Code code) {
  switch (code) {
    case Code::kAvx2:
      break;
    case Code::kAvx512:
      return __builtin_cpu_supports("avx512f") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 &&
             __builtin_cpu_supports("avx512dq") != 0;
    case Code::kGfni:
      return GfniIsThere();
  }
  return __builtin_cpu_supports("avx2") != 0;
}

ReedSolomon::Code ReedSolomon::Calibrate(const Aead& aead,
                                         std::span<const Code> among) {
  struct Candidate {
    Code code;
    uint64_t best = UINT64_MAX;
  };
  std::vector<Candidate> candidates;
  for (const Code code : among) {
    if (Supports(code)) candidates.push_back({code});
  }
  if (candidates.size() == 1) return candidates.front().code;
  Sample sample;
  const std::array<uint8_t, kAeadKeySize> key{};
  aead.ExpandKey(key, sample.key);
  ReedSolomon coder;
  for (int round = 0; round < kRounds; ++round) {
    for (auto& [code, best] : candidates) {
      coder.functions_ = FunctionsOf(code);
      TimeRuns(aead, coder, sample, kSettlingRuns);
      for (int slice = 0; slice < kSlices; ++slice) {
        best = std::min(best, TimeRuns(aead, coder, sample, kRunsPerSlice));
      }
    }
  }
  return std::ranges::min(candidates, {}, &Candidate::best).code;
}

void ReedSolomon::Add(size_t index, std::span<const uint8_t> shard,
                      size_t first_row,
                      std::span<uint8_t* const> parities) const {
  functions_.update(
      static_cast<int>(shard.size()), 1, static_cast<int>(parities.size()), 0,
      TablesOf(index, first_row), const_cast<uint8_t*>(shard.data()),
      const_cast<uint8_t**>(parities.data()));
}

void ReedSolomon::InvertTables(std::span<const uint8_t> missing,
                               std::span<const uint8_t> rows,
                               std::span<uint8_t> out) {
  const size_t size = missing.size();
  const Inverse inverse(missing, rows);
  for (size_t b = 0; b < size; ++b) {
    for (size_t a = 0; a < size; ++a) {
      gf_vect_mul_init(inverse.At(b, a), &out[(b * size + a) * kTableBytes]);
    }
  }
}

// A parity less the shards that are there, times the inverse: the coefficient
// of such a shard is the sum of the inverse's row times its own ones.
void ReedSolomon::SolveTables(std::span<const uint8_t> missing,
                              std::span<const uint8_t> rows, size_t data,
                              std::span<uint8_t> out) {
  const size_t size = missing.size();
  const Inverse inverse(missing, rows);
  uint8_t* at = out.data();
  for (size_t b = 0; b < size; ++b) {
    std::array<uint8_t, kMaxParity> row;
    for (size_t a = 0; a < size; ++a) row[a] = inverse.At(b, a);
    size_t skipped = 0;
    for (size_t i = 0; i < data; ++i) {
      if (skipped < size && missing[skipped] == i) {
        ++skipped;
        continue;
      }
      uint8_t sum = 0;
      for (size_t a = 0; a < size; ++a) {
        sum ^= gf_mul(row[a], Coefficient(rows[a], i));
      }
      gf_vect_mul_init(sum, at);
      at += kTableBytes;
    }
    for (size_t a = 0; a < size; ++a, at += kTableBytes) {
      gf_vect_mul_init(row[a], at);
    }
  }
}

void ReedSolomon::Multiply(RowTables tables, std::span<uint8_t* const> in,
                           size_t length, std::span<uint8_t* const> out) const {
  functions_.encode(
      static_cast<int>(length), static_cast<int>(in.size()),
      static_cast<int>(out.size()), const_cast<uint8_t*>(tables.data()),
      const_cast<uint8_t**>(in.data()), const_cast<uint8_t**>(out.data()));
}

uint8_t ReedSolomon::Coefficient(size_t row, size_t index) {
  return gf_inv(Difference(row, index));
}

}  // namespace lwt
