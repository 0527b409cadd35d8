// Solved patterns of loss: which shards are missing and which parities stand in
// for them decide the matrix to invert, and few patterns make up most losses.
//
// Owned by one worker; fixed in size, nothing is allocated after construction.
// A hit costs one comparison; a miss inverts (about 300 TSC cycles for two
// shards, and as much again for each five shards of the group where these are
// to be taken in one pass).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "drivers/reed_solomon.h"

namespace lwt::fec {

class RepairCache {
 public:
  // Patterns of more coefficients than this are solved each time: those of the
  // codes that a policy chooses have fewer.
  static constexpr size_t kMaxCached = 64;
  static constexpr size_t kEntries = 256;

  RepairCache();

  // The tables for ReedSolomon::Multiply, valid until the next call. Bit sets
  // of missing shards and of the parities for them, as many of one as of the
  // other.
  ReedSolomon::RowTables Find(uint64_t missing, uint32_t rows) {
    return Find(missing, rows, 0);
  }
  // The same, to take all shards of a group of `data` in one pass
  // (ReedSolomon::SolveTables). IsCached(number of missing ones, data).
  ReedSolomon::RowTables FindWhole(uint64_t missing, uint32_t rows,
                                   size_t data) {
    return Find(missing, rows, data);
  }
  static bool IsCached(size_t missing, size_t data) {
    return missing * data <= kMaxCached;
  }

  uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    uint64_t missing = 0;  // bit sets; none is missing in an empty entry
    uint32_t rows = 0;
    uint32_t data = 0;  // 0: of the missing shards alone
    std::array<uint8_t, kMaxCached * ReedSolomon::kTableBytes> tables;
  };

  ReedSolomon::RowTables Find(uint64_t missing, uint32_t rows, size_t data);

  std::vector<Entry> entries_;
  std::vector<uint8_t> scratch_;
  uint64_t misses_ = 0;
};

}  // namespace lwt::fec
