// Reed-Solomon over GF(2^8) by ISA-L, and by drivers/galois.h where that is
// faster: bytes in, bytes out, no framing.
//
// The code is systematic with one Cauchy matrix for every group size: parity
// row r of data shard i has the coefficient 1 / ((64 + r) xor i). So a group
// may close with fewer data shards than was meant, and any k shards of a
// group of k + m give it back. Shards of a group may differ in length: the
// shorter ones count as padded with zeros, which nobody writes or reads.
//
// Immutable once made: one serves all threads. No allocation after that. Adding
// 1400 bytes to three parities costs about 300 TSC cycles with AVX2, 100 with
// GFNI.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "drivers/aead.h"

namespace lwt {

class ReedSolomon {
 public:
  static constexpr size_t kMaxData = 64;
  static constexpr size_t kMaxParity = 32;

  enum class Code : uint8_t { kAvx2, kAvx512, kGfni };
  static constexpr std::array kCodes = {Code::kAvx2, Code::kAvx512,
                                        Code::kGfni};

  explicit ReedSolomon(Code code = Code::kAvx2);

  // True where the CPU has what the code needs.
  static bool Supports(Code code);
  // The code that is faster next to AES-GCM on this CPU: wide integer vectors
  // may lower the clock of all else that the core does. Of those `among` that
  // the CPU has, at least one. Measures for about 20 ms where there are
  // several; for start-up.
  static Code Calibrate(const Aead& aead, std::span<const Code> among = kCodes);

  // Makes parities.size() parities, from row 0 on, of data shard `index` alone;
  // what they held before does not matter, nor what lies behind shard.size().
  void Begin(size_t index, std::span<const uint8_t> shard,
             std::span<uint8_t* const> parities) const;
  // Adds data shard `index` to the parity rows first_row … first_row +
  // parities.size() − 1. Each parity has at least shard.size() bytes.
  void Add(size_t index, std::span<const uint8_t> shard, size_t first_row,
           std::span<uint8_t* const> parities) const;

  // Coefficients of a solve; see RepairCache.
  static constexpr size_t kTableBytes = 32;  // of one coefficient
  using RowTables = std::span<const uint8_t>;

  // Tables of the inverse of the square matrix that parity rows `rows` and
  // data shards `missing` make: missing.size()^2 coefficients at `out`. The
  // two lists have one length, hold no number twice and are in range.
  static void InvertTables(std::span<const uint8_t> missing,
                           std::span<const uint8_t> rows,
                           std::span<uint8_t> out);

  // Tables that give the missing shards of a group of `data` at once from what
  // is there: the other data shards, ascending, then parity rows `rows`, so
  // missing.size() times `data` coefficients at `out`.
  static void SolveTables(std::span<const uint8_t> missing,
                          std::span<const uint8_t> rows, size_t data,
                          std::span<uint8_t> out);

  // out[j] = sum of coefficient (j, i) times in[i], all of `length` bytes;
  // `tables` is what InvertTables or SolveTables made.
  void Multiply(RowTables tables, std::span<uint8_t* const> in, size_t length,
                std::span<uint8_t* const> out) const;

  // Coefficient of parity row `row` and data shard `index`.
  static uint8_t Coefficient(size_t row, size_t index);

 private:
  using EncodeFunction = void (*)(int, int, int, uint8_t*, uint8_t**,
                                  uint8_t**);
  using UpdateFunction = void (*)(int, int, int, int, uint8_t*, uint8_t*,
                                  uint8_t**);

  struct Functions {
    EncodeFunction encode;
    UpdateFunction update;
  };

  static Functions FunctionsOf(Code code);
  uint8_t* TablesOf(size_t index, size_t first_row) const;

  Functions functions_;
  std::vector<uint8_t> tables_;  // kMaxParity coefficients of each data shard
};

}  // namespace lwt
