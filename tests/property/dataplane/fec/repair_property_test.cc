// Any loss of as many shards as there are parities is repaired, and both the
// parities and the repair equal those of a Reed-Solomon code that shares
// nothing with ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <random>

#include "dataplane/fec/repair_cache.h"
#include "drivers/reed_solomon.h"
#include "tests/support/slow_reed_solomon.h"

namespace lwt::fec {
namespace {

using lwt::testing::SlowReedSolomon;
using Bytes = std::vector<uint8_t>;

constexpr LaneIndex kOneLane{1};

struct Group {
  std::vector<Bytes> data;
  std::vector<Bytes> parity;
  size_t length = 0;
};

class RepairPropertyTest : public ::testing::Test {
 protected:
  Group MakeGroup(size_t k, size_t m, size_t longest) {
    Group group;
    for (size_t i = 0; i < k; ++i) {
      Bytes shard(1 + random_() % longest);
      for (uint8_t& byte : shard) byte = static_cast<uint8_t>(random_());
      group.length = std::max(group.length, shard.size());
      group.data.push_back(std::move(shard));
    }
    group.parity.assign(m, Bytes(group.length, 0));
    std::vector<uint8_t*> rows;
    for (Bytes& parity : group.parity) rows.push_back(parity.data());
    for (size_t i = 0; i < k; ++i) code_.Add(i, group.data[i], 0, rows);
    return group;
  }

  // Repairs `missing` from the parities `rows`, as the decoder does.
  std::vector<Bytes> Repair(const Group& group, const Bytes& missing,
                            const Bytes& rows) {
    std::vector<Bytes> sums;
    std::vector<Bytes> out(missing.size(), Bytes(group.length));
    std::vector<uint8_t*> sum_pointers;
    std::vector<uint8_t*> out_pointers;
    for (const uint8_t row : rows) sums.push_back(group.parity[row]);
    for (Bytes& sum : sums) sum_pointers.push_back(sum.data());
    for (Bytes& shard : out) out_pointers.push_back(shard.data());
    for (size_t i = 0; i < group.data.size(); ++i) {
      if (std::binary_search(missing.begin(), missing.end(), i)) continue;
      for (size_t j = 0; j < rows.size(); ++j) {
        const std::array<uint8_t*, 1> one = {sum_pointers[j]};
        code_.Add(i, group.data[i], rows[j], one);
      }
    }
    code_.Multiply(cache_.Find(kOneLane, BitsOf(missing),
                               static_cast<uint32_t>(BitsOf(rows))),
                   sum_pointers, group.length, out_pointers);
    return out;
  }

  // The same in one pass over all shards, padded.
  std::vector<Bytes> RepairWhole(const Group& group, const Bytes& missing,
                                 const Bytes& rows) {
    const size_t k = group.data.size();
    std::vector<Bytes> in;
    for (size_t i = 0; i < k; ++i) {
      if (std::binary_search(missing.begin(), missing.end(), i)) continue;
      in.push_back(group.data[i]);
      in.back().resize(group.length, 0);
    }
    for (const uint8_t row : rows) in.push_back(group.parity[row]);
    std::vector<Bytes> out(missing.size(), Bytes(group.length));
    std::vector<uint8_t*> in_pointers;
    std::vector<uint8_t*> out_pointers;
    for (Bytes& shard : in) in_pointers.push_back(shard.data());
    for (Bytes& shard : out) out_pointers.push_back(shard.data());
    Bytes tables(missing.size() * k * ReedSolomon::kTableBytes);
    ReedSolomon::SolveTables(missing, rows, k, tables);
    code_.Multiply(tables, in_pointers, group.length, out_pointers);
    return out;
  }

  void ExpectRepaired(const Group& group, const Bytes& missing,
                      const Bytes& rows) {
    const auto out = Repair(group, missing, rows);
    ASSERT_EQ(RepairWhole(group, missing, rows), out);
    for (size_t i = 0; i < missing.size(); ++i) {
      Bytes expected = group.data[missing[i]];
      expected.resize(group.length, 0);
      ASSERT_EQ(out[i], expected)
          << "shard " << int{missing[i]} << " of " << group.data.size();
    }
  }

  static uint64_t BitsOf(const Bytes& numbers) {
    uint64_t bits = 0;
    for (const uint8_t number : numbers) bits |= uint64_t{1} << number;
    return bits;
  }

  static Bytes NumbersOf(uint64_t bits) {
    Bytes numbers;
    for (uint8_t i = 0; i < 64; ++i) {
      if ((bits >> i) & 1) numbers.push_back(i);
    }
    return numbers;
  }

  Bytes Choose(size_t count, size_t from) {
    Bytes all(from);
    std::iota(all.begin(), all.end(), uint8_t{0});
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(count);
    std::sort(all.begin(), all.end());
    return all;
  }

  const ReedSolomon code_;
  RepairCache cache_;
  std::mt19937 random_{20240501};
};

TEST_F(RepairPropertyTest, EveryPatternOfSmallGroups) {
  for (size_t k = 1; k <= 6; ++k) {
    for (size_t m = 1; m <= 4; ++m) {
      const Group group = MakeGroup(k, m, 70);
      for (uint64_t lost = 1; lost < uint64_t{1} << k; ++lost) {
        for (uint64_t used = 1; used < uint64_t{1} << m; ++used) {
          if (std::popcount(lost) != std::popcount(used)) continue;
          ASSERT_NO_FATAL_FAILURE(
              ExpectRepaired(group, NumbersOf(lost), NumbersOf(used)))
              << k << "+" << m << " lost " << lost << " used " << used;
        }
      }
    }
  }
}

TEST_F(RepairPropertyTest, RandomPatternsOfLargeGroups) {
  for (int run = 0; run < 1500; ++run) {
    const size_t k = 1 + random_() % ReedSolomon::kMaxData;
    const size_t m = 1 + random_() % ReedSolomon::kMaxParity;
    const Group group = MakeGroup(k, m, 130);
    const size_t lost = 1 + random_() % std::min(k, m);
    ASSERT_NO_FATAL_FAILURE(
        ExpectRepaired(group, Choose(lost, k), Choose(lost, m)))
        << k << "+" << m << " lost " << lost << " run " << run;
  }
}

TEST_F(RepairPropertyTest, AgreesWithTheSlowCode) {
  for (int run = 0; run < 100; ++run) {
    const size_t k = 1 + random_() % 24;
    const size_t m = 1 + random_() % 8;
    const Group group = MakeGroup(k, m, 40);
    const Bytes missing = Choose(1 + random_() % std::min(k, m), k);
    const Bytes rows = Choose(missing.size(), m);
    std::vector<Bytes> damaged = group.data;
    for (const uint8_t i : missing) damaged[i].clear();
    std::map<size_t, Bytes> parity;
    for (const uint8_t row : rows) {
      ASSERT_EQ(group.parity[row], SlowReedSolomon::Encode(group.data, row));
      parity[row] = group.parity[row];
    }
    ASSERT_TRUE(SlowReedSolomon::Decode(damaged, parity));
    const auto out = Repair(group, missing, rows);
    for (size_t i = 0; i < missing.size(); ++i) {
      ASSERT_EQ(out[i], damaged[missing[i]]);
    }
  }
}

TEST_F(RepairPropertyTest, APatternSeenBeforeIsNotSolvedAgain) {
  const Group group = MakeGroup(10, 3, 1400);
  ExpectRepaired(group, {2, 5}, {0, 1});
  EXPECT_EQ(cache_.misses(), 1u);
  ExpectRepaired(group, {2, 5}, {0, 1});
  EXPECT_EQ(cache_.misses(), 1u);
  ExpectRepaired(group, {2, 5}, {0, 2});
  EXPECT_EQ(cache_.misses(), 2u);
}

TEST_F(RepairPropertyTest, APatternIsOneOfItsGroupsSize) {
  const Bytes missing = {2, 5};
  const Bytes rows = {0, 1};
  for (const size_t data : {10, 20, 10, 20}) {
    const auto kept = cache_.FindWhole(
        kOneLane, BitsOf(missing), static_cast<uint32_t>(BitsOf(rows)), data);
    Bytes tables(missing.size() * data * ReedSolomon::kTableBytes);
    ReedSolomon::SolveTables(missing, rows, data, tables);
    EXPECT_TRUE(std::equal(tables.begin(), tables.end(), kept.begin()));
  }
  EXPECT_EQ(cache_.misses(), 2u);
  EXPECT_TRUE(RepairCache::IsCached(6, 8));
  EXPECT_TRUE(RepairCache::IsCached(2, 20));
  EXPECT_FALSE(RepairCache::IsCached(6, 20));
}

}  // namespace
}  // namespace lwt::fec
