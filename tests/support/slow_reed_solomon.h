// Reed-Solomon by the book: field arithmetic by shift and xor, a matrix, and
// Gauss's elimination. Shares no table and no formula with the library that the
// gateway uses, and is the judge of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace lwt::testing {

// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1.
inline uint8_t SlowMultiply(uint8_t a, uint8_t b) {
  unsigned product = 0;
  for (int bit = 0; bit < 8; ++bit) {
    if ((b >> bit) & 1) product ^= static_cast<unsigned>(a) << bit;
  }
  for (int bit = 14; bit >= 8; --bit) {
    if ((product >> bit) & 1) product ^= 0x11du << (bit - 8);
  }
  return static_cast<uint8_t>(product);
}

inline uint8_t SlowInverse(uint8_t a) {
  for (unsigned b = 1; b < 256; ++b) {
    if (SlowMultiply(a, static_cast<uint8_t>(b)) == 1) {
      return static_cast<uint8_t>(b);
    }
  }
  return 0;
}

class SlowReedSolomon {
 public:
  using Bytes = std::vector<uint8_t>;

  // docs/protocol.md: 1 / ((64 + row) xor index).
  static uint8_t Coefficient(size_t row, size_t index) {
    return SlowInverse(static_cast<uint8_t>((64 + row) ^ index));
  }

  // The parity of one row; as long as the longest shard.
  static Bytes Encode(const std::vector<Bytes>& data, size_t row) {
    size_t length = 0;
    for (const Bytes& shard : data) length = std::max(length, shard.size());
    Bytes parity(length, 0);
    for (size_t i = 0; i < data.size(); ++i) {
      const uint8_t coefficient = Coefficient(row, i);
      for (size_t at = 0; at < data[i].size(); ++at) {
        parity[at] ^= SlowMultiply(coefficient, data[i][at]);
      }
    }
    return parity;
  }

  // Fills the empty shards of `data` from parities by row. False when there
  // are too few.
  static bool Decode(std::vector<Bytes>& data,
                     const std::map<size_t, Bytes>& parity) {
    std::vector<size_t> missing;
    for (size_t i = 0; i < data.size(); ++i) {
      if (data[i].empty()) missing.push_back(i);
    }
    if (parity.size() < missing.size()) return false;
    std::vector<Equation> equations;
    for (const auto& [row, sum] : parity) {
      if (equations.size() == missing.size()) break;
      equations.push_back(EquationOf(data, missing, row, sum));
    }
    if (!Eliminate(equations)) return false;
    for (size_t i = 0; i < missing.size(); ++i) {
      data[missing[i]] = equations[i].right;
    }
    return true;
  }

 private:
  struct Equation {
    Bytes left;   // a coefficient for each missing shard
    Bytes right;  // what they sum up to
  };

  static Equation EquationOf(const std::vector<Bytes>& data,
                             const std::vector<size_t>& missing, size_t row,
                             Bytes sum) {
    for (size_t i = 0; i < data.size(); ++i) {
      for (size_t at = 0; at < data[i].size(); ++at) {
        sum[at] ^= SlowMultiply(Coefficient(row, i), data[i][at]);
      }
    }
    Equation equation{{}, std::move(sum)};
    for (const size_t i : missing) {
      equation.left.push_back(Coefficient(row, i));
    }
    return equation;
  }

  static void Scale(Equation& equation, uint8_t by) {
    for (uint8_t& value : equation.left) value = SlowMultiply(value, by);
    for (uint8_t& value : equation.right) value = SlowMultiply(value, by);
  }

  static void Subtract(Equation& from, const Equation& what, uint8_t times) {
    for (size_t i = 0; i < from.left.size(); ++i) {
      from.left[i] ^= SlowMultiply(what.left[i], times);
    }
    for (size_t i = 0; i < from.right.size(); ++i) {
      from.right[i] ^= SlowMultiply(what.right[i], times);
    }
  }

  static bool Eliminate(std::vector<Equation>& equations) {
    for (size_t column = 0; column < equations.size(); ++column) {
      const auto pivot =
          std::find_if(equations.begin() + static_cast<ptrdiff_t>(column),
                       equations.end(), [column](const Equation& equation) {
                         return equation.left[column] != 0;
                       });
      if (pivot == equations.end()) return false;
      std::swap(equations[column], *pivot);
      Scale(equations[column], SlowInverse(equations[column].left[column]));
      for (size_t row = 0; row < equations.size(); ++row) {
        if (row == column) continue;
        Subtract(equations[row], equations[column],
                 equations[row].left[column]);
      }
    }
    return true;
  }
};

}  // namespace lwt::testing
