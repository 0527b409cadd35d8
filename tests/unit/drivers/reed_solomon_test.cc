#include "drivers/reed_solomon.h"

#include <gtest/gtest.h>
#include <isa-l/erasure_code.h>

#include <numeric>
#include <random>

#include "tests/support/slow_reed_solomon.h"
#include "tests/unit/drivers/random_bytes.h"

namespace lwt {
namespace {

using testing::SlowReedSolomon;
using Bytes = std::vector<uint8_t>;

// Parities of `data` with guard bytes behind each, which nobody may touch.
std::vector<Bytes> EncodeAll(const ReedSolomon& code,
                             const std::vector<Bytes>& data, size_t length,
                             size_t first_row, size_t rows) {
  constexpr size_t kGuard = 64;
  std::vector<Bytes> parities(rows, Bytes(length + kGuard, 0));
  std::vector<uint8_t*> pointers;
  for (Bytes& parity : parities) {
    std::fill_n(parity.end() - kGuard, kGuard, 0xee);
    pointers.push_back(parity.data());
  }
  for (size_t i = 0; i < data.size(); ++i) {
    code.Add(i, data[i], first_row, pointers);
  }
  for (Bytes& parity : parities) {
    EXPECT_EQ(Bytes(parity.end() - kGuard, parity.end()), Bytes(kGuard, 0xee));
    parity.resize(length);
  }
  return parities;
}

std::vector<ReedSolomon::Code> Codes() {
  std::vector<ReedSolomon::Code> codes;
  for (const auto code : ReedSolomon::kCodes) {
    if (ReedSolomon::Supports(code)) codes.push_back(code);
  }
  return codes;
}

TEST(ReedSolomonTest, CoefficientsAreTheDocumentedOnes) {
  EXPECT_EQ(ReedSolomon::Coefficient(0, 0), 0x36);  // 1 / 0x40
  for (size_t row = 0; row < ReedSolomon::kMaxParity; ++row) {
    for (size_t index = 0; index < ReedSolomon::kMaxData; ++index) {
      ASSERT_EQ(ReedSolomon::Coefficient(row, index),
                SlowReedSolomon::Coefficient(row, index))
          << row << " " << index;
    }
  }
}

// The worked example of docs/protocol.md.
TEST(ReedSolomonTest, EncodesTheWorkedExample) {
  const std::vector<Bytes> data = {{0x01, 0x02, 0x03, 0x04}, {0x10, 0x20}};
  const auto parities = EncodeAll(ReedSolomon(), data, 4, 0, 2);
  EXPECT_EQ(parities[0], (Bytes{0xaf, 0x43, 0x5a, 0xd8}));
  EXPECT_EQ(parities[1], (Bytes{0x18, 0x30, 0xe1, 0x61}));
}

TEST(ReedSolomonTest, BeginningIsAddingToZeros) {
  std::mt19937 random(4);
  for (const auto code : Codes()) {
    const ReedSolomon coder(code);
    for (size_t length = 1; length <= 200; ++length) {
      const Bytes shard = RandomBytes(random, length);
      const size_t index = random() % ReedSolomon::kMaxData;
      const size_t rows = 1 + random() % ReedSolomon::kMaxParity;
      std::vector<Bytes> parities(rows, Bytes(length + 64, 0xee));
      std::vector<uint8_t*> pointers;
      for (Bytes& parity : parities) pointers.push_back(parity.data());
      coder.Begin(index, shard, pointers);
      std::vector<Bytes> data(index + 1);
      data[index] = shard;
      for (size_t row = 0; row < rows; ++row) {
        Bytes expected = SlowReedSolomon::Encode(data, row);
        expected.resize(length + 64, 0xee);
        ASSERT_EQ(parities[row], expected) << length << " row " << row;
      }
    }
  }
}

TEST(ReedSolomonTest, EveryLengthMatchesTheSlowCode) {
  std::mt19937 random(1);
  for (const auto code : Codes()) {
    const ReedSolomon coder(code);
    for (size_t length = 1; length <= 200; ++length) {
      const std::vector<Bytes> data = {RandomBytes(random, length),
                                       RandomBytes(random, 1 + length / 2),
                                       RandomBytes(random, length)};
      const auto parities = EncodeAll(coder, data, length, 0, 7);
      for (size_t row = 0; row < parities.size(); ++row) {
        ASSERT_EQ(parities[row], SlowReedSolomon::Encode(data, row))
            << length << " row " << row;
      }
    }
  }
}

TEST(ReedSolomonTest, LargestGroupMatchesTheSlowCode) {
  std::mt19937 random(2);
  std::vector<Bytes> data;
  for (size_t i = 0; i < ReedSolomon::kMaxData; ++i) {
    data.push_back(RandomBytes(random, 40 + i));
  }
  for (const auto code : Codes()) {
    const auto parities =
        EncodeAll(ReedSolomon(code), data, 103, 0, ReedSolomon::kMaxParity);
    for (size_t row = 0; row < parities.size(); ++row) {
      ASSERT_EQ(parities[row], SlowReedSolomon::Encode(data, row));
    }
  }
}

TEST(ReedSolomonTest, RowsMayBeAskedForFromTheMiddle) {
  std::mt19937 random(3);
  const std::vector<Bytes> data = {RandomBytes(random, 90),
                                   RandomBytes(random, 90)};
  const auto parities = EncodeAll(ReedSolomon(), data, 90, 5, 3);
  for (size_t i = 0; i < parities.size(); ++i) {
    EXPECT_EQ(parities[i], SlowReedSolomon::Encode(data, 5 + i));
  }
}

TEST(ReedSolomonTest, AddingTwiceTakesAway) {
  std::mt19937 random(4);
  const Bytes shard = RandomBytes(random, 1400);
  Bytes parity(1400, 0);
  const ReedSolomon code;
  const std::array<uint8_t*, 1> one = {parity.data()};
  code.Add(9, shard, 0, one);
  EXPECT_NE(parity, Bytes(1400, 0));
  code.Add(9, shard, 0, one);
  EXPECT_EQ(parity, Bytes(1400, 0));
}

// Tables of any coefficients, made by the library as a solve's are.
TEST(ReedSolomonTest, ProductsAndSumsMatchTheSlowOnes) {
  std::mt19937 random(5);
  for (size_t length = 1; length <= 200; ++length) {
    const size_t sources = 1 + random() % ReedSolomon::kMaxData;
    const size_t rows = 1 + random() % 7;
    std::vector<Bytes> in;
    std::vector<uint8_t*> from;
    for (size_t i = 0; i < sources; ++i) {
      in.push_back(RandomBytes(random, length));
    }
    for (Bytes& each : in) from.push_back(each.data());
    Bytes matrix = RandomBytes(random, rows * sources);
    Bytes tables(matrix.size() * ReedSolomon::kTableBytes);
    ec_init_tables(static_cast<int>(sources), static_cast<int>(rows),
                   matrix.data(), tables.data());
    std::vector<Bytes> expected(rows, Bytes(length + 64, 0xee));
    for (size_t row = 0; row < rows; ++row) {
      for (size_t at = 0; at < length; ++at) {
        uint8_t sum = 0;
        for (size_t i = 0; i < sources; ++i) {
          sum ^= testing::SlowMultiply(matrix[row * sources + i], in[i][at]);
        }
        expected[row][at] = sum;
      }
    }
    for (const auto code : Codes()) {
      std::vector<Bytes> out(rows, Bytes(length + 64, 0xee));
      std::vector<uint8_t*> to;
      for (Bytes& each : out) to.push_back(each.data());
      ReedSolomon(code).Multiply(tables, from, length, to);
      ASSERT_EQ(out, expected) << length << " by " << static_cast<int>(code);
    }
  }
}

// inverse × matrix = unit matrix, computed by the slow arithmetic.
TEST(ReedSolomonTest, InverseUndoesTheMatrix) {
  const Bytes missing = {0, 3, 17, 63};
  const Bytes rows = {0, 2, 5, 31};
  Bytes tables(16 * ReedSolomon::kTableBytes);
  ReedSolomon::InvertTables(missing, rows, tables);
  for (size_t b = 0; b < 4; ++b) {
    for (size_t c = 0; c < 4; ++c) {
      uint8_t sum = 0;
      for (size_t a = 0; a < 4; ++a) {
        // The second byte of a table is the coefficient times one.
        const uint8_t entry =
            tables[(b * 4 + a) * ReedSolomon::kTableBytes + 1];
        sum ^= testing::SlowMultiply(
            entry, SlowReedSolomon::Coefficient(rows[a], missing[c]));
      }
      EXPECT_EQ(sum, b == c ? 1 : 0) << b << " " << c;
    }
  }
}

TEST(ReedSolomonTest, CalibrationPicksACodeThatThisCpuHas) {
  const auto aead = Aead::Create();
  ASSERT_TRUE(aead.has_value());
  EXPECT_TRUE(ReedSolomon::Supports(ReedSolomon::Calibrate(*aead)));
}

}  // namespace
}  // namespace lwt
