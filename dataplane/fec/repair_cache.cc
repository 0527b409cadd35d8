#include "dataplane/fec/repair_cache.h"

#include "dataplane/golden_ratio.h"

namespace lwt::fec {
namespace {

uint64_t BitsOf(std::span<const uint8_t> numbers) {
  uint64_t bits = 0;
  for (const uint8_t number : numbers) bits |= uint64_t{1} << number;
  return bits;
}

}  // namespace

RepairCache::RepairCache()
    : entries_(kEntries),
      scratch_(ReedSolomon::kMaxParity * ReedSolomon::kMaxParity *
               ReedSolomon::kTableBytes) {}

ReedSolomon::RowTables RepairCache::Find(std::span<const uint8_t> missing,
                                         std::span<const uint8_t> rows,
                                         size_t data) {
  if (data == 0 && !IsCached(missing.size(), missing.size())) {
    ++misses_;
    ReedSolomon::InvertTables(missing, rows, scratch_);
    return scratch_;
  }
  const uint64_t lost = BitsOf(missing);
  const auto used = static_cast<uint32_t>(BitsOf(rows));
  const uint64_t hash =
      (lost * kGoldenRatio) ^ (used * kGoldenRatio >> 7) ^ (data << 32);
  Entry& entry = entries_[(hash >> 32) % kEntries];
  if (entry.missing != lost || entry.rows != used || entry.data != data) {
    ++misses_;
    entry.missing = lost;
    entry.rows = used;
    entry.data = static_cast<uint32_t>(data);
    if (data == 0) {
      ReedSolomon::InvertTables(missing, rows, entry.tables);
    } else {
      ReedSolomon::SolveTables(missing, rows, data, entry.tables);
    }
  }
  return entry.tables;
}

}  // namespace lwt::fec
