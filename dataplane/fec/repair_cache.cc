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
    : entries_(kEntries),
      scratch_(ReedSolomon::kMaxParity * ReedSolomon::kMaxParity *
               ReedSolomon::kTableBytes) {}

ReedSolomon::RowTables RepairCache::Find(uint64_t missing, uint32_t rows,
                                         size_t data) {
  const auto count = static_cast<size_t>(std::popcount(missing));
  if (data == 0 && !IsCached(count, count)) {
    ++misses_;
    Tabulate(missing, rows, data, scratch_);
    return scratch_;
  }
  const uint64_t hash =
      (missing * kGoldenRatio) ^ (rows * kGoldenRatio >> 7) ^ (data << 32);
  Entry& entry = entries_[(hash >> 32) % kEntries];
  if (entry.missing != missing || entry.rows != rows || entry.data != data) {
    ++misses_;
    entry.missing = missing;
    entry.rows = rows;
    entry.data = static_cast<uint32_t>(data);
    Tabulate(missing, rows, data, entry.tables);
  }
  return entry.tables;
}

}  // namespace lwt::fec
