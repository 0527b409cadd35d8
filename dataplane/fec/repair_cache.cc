#include "dataplane/fec/repair_cache.h"

#include <bit>

#include "dataplane/fec/bit_set.h"
#include "dataplane/golden_ratio.h"

namespace lwt::fec {
namespace {

// The numbers in a bit set, ascending.
template <size_t kMost>
class Numbers {
 public:
  explicit Numbers(uint64_t set) {
    ForEachBit(set, [this](size_t number) {
      numbers_[count_++] = static_cast<uint8_t>(number);
    });
  }
  std::span<const uint8_t> all() const {
    return std::span(numbers_).first(count_);
  }

 private:
  std::array<uint8_t, kMost> numbers_;
  size_t count_ = 0;
};

void Tabulate(uint64_t missing, uint32_t rows, size_t data,
              std::span<uint8_t> out) {
  const Numbers<ReedSolomon::kMaxData> shards(missing);
  const Numbers<ReedSolomon::kMaxParity> parities(rows);
  if (data == 0) {
    ReedSolomon::InvertTables(shards.all(), parities.all(), out);
  } else {
    ReedSolomon::SolveTables(shards.all(), parities.all(), data, out);
  }
}

}  // namespace

RepairCache::RepairCache()
    : tags_(kEntries),
      tables_(kEntries),
      scratch_(ReedSolomon::kMaxParity * ReedSolomon::kMaxParity *
               ReedSolomon::kTableBytes) {}

// An empty place, else one of the lane's own, else the next in turn.
size_t RepairCache::PlaceFor(LaneIndex lane, size_t first) {
  const size_t turn = turn_++;
  size_t found = first + turn % kWays;
  for (size_t way = 0; way < kWays; ++way) {
    const size_t at = first + (turn + way) % kWays;
    if (tags_[at].pattern.missing == 0) return at;
    if (tags_[at].lane == lane) found = at;
  }
  return found;
}

ReedSolomon::RowTables RepairCache::Find(LaneIndex lane,
                                         const Pattern& pattern) {
  const auto [missing, rows, data] = pattern;
  const auto count = static_cast<size_t>(std::popcount(missing));
  if (data == 0 && !IsCached(count, count)) {
    ++misses_;
    Tabulate(missing, rows, data, scratch_);
    return scratch_;
  }
  const uint64_t hash = (missing * kGoldenRatio) ^ (rows * kGoldenRatio >> 7) ^
                        (uint64_t{data} << 32);
  const size_t first = (hash >> 32) % (kEntries / kWays) * kWays;
  for (size_t at = first; at < first + kWays; ++at) {
    if (tags_[at].pattern == pattern) return tables_[at];
  }
  ++misses_;
  const size_t at = PlaceFor(lane, first);
  tags_[at] = {pattern, lane};
  Tabulate(missing, rows, data, tables_[at]);
  return tables_[at];
}

}  // namespace lwt::fec
