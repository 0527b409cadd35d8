// Solved patterns of loss: which shards are missing and which parities stand in
// for them decide the matrix to invert, and few patterns make up most losses.
//
// A pattern has four places. Where all are taken, a lane that has one of them
// gives that one up, else one gives way in turn: a lane that loses by ever new
// patterns leaves the others three places of four.
//
// Owned by one worker; fixed in size, nothing is allocated after construction.
// A hit costs four comparisons at most; a miss inverts (about 300 TSC cycles
// for two shards, and as much again for each five shards of the group where
// these are to be taken in one pass).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/names.h"
#include "drivers/reed_solomon.h"

namespace lwt::fec {

class RepairCache {
 public:
  // Patterns of more coefficients than this are solved each time: those of the
  // codes that a policy chooses have fewer.
  static constexpr size_t kMaxCached = 64;
  static constexpr size_t kEntries = 256;
  static constexpr size_t kWays = 4;

  RepairCache();

  // The tables for ReedSolomon::Multiply, valid until the next call. Bit sets
  // of missing shards and of the parities for them, as many of one as of the
  // other. `lane` pays for the place where they are not known.
  ReedSolomon::RowTables Find(LaneIndex lane, uint64_t missing, uint32_t rows) {
    return Find(lane, Pattern{missing, rows, 0});
  }
  // The same, to take all shards of a group of `data` in one pass
  // (ReedSolomon::SolveTables). IsCached(number of missing ones, data).
  ReedSolomon::RowTables FindWhole(LaneIndex lane, uint64_t missing,
                                   uint32_t rows, size_t data) {
    return Find(lane, Pattern{missing, rows, static_cast<uint32_t>(data)});
  }
  static bool IsCached(size_t missing, size_t data) {
    return missing * data <= kMaxCached;
  }

  uint64_t misses() const { return misses_; }

 private:
  struct Pattern {
    uint64_t missing = 0;  // bit sets; none is missing in an empty entry
    uint32_t rows = 0;
    uint32_t data = 0;  // 0: of the missing shards alone
    friend bool operator==(const Pattern&, const Pattern&) = default;
  };
  // Apart from the tables, so that the places of a pattern lie side by side.
  struct Tag {
    Pattern pattern;
    LaneIndex lane;
  };
  using Tables = std::array<uint8_t, kMaxCached * ReedSolomon::kTableBytes>;

  ReedSolomon::RowTables Find(LaneIndex lane, const Pattern& pattern);
  size_t PlaceFor(LaneIndex lane, size_t first);

  std::vector<Tag> tags_;
  std::vector<Tables> tables_;
  size_t turn_ = 0;  // which place of a full set gives way next
  std::vector<uint8_t> scratch_;
  uint64_t misses_ = 0;
};

}  // namespace lwt::fec
