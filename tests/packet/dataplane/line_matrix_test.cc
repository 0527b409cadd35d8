// Some of the matrix of lines: what the choice of a code by itself carries,
// beside none and 10+3. The whole of it is run by line_matrix
// (docs/testing.md).
#include "tests/support/line/line_matrix.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <iostream>

namespace lwt::testing {
namespace {

constexpr uint64_t kSeeds = 2;
constexpr std::array kCodes = {Codes::kOff, Codes::kFixed, Codes::kAuto};

CellResult RunCell(const Cell& cell) {
  CellResult result;
  result.cell = cell;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const Codes codes : kCodes) {
      result.by_codes[static_cast<size_t>(codes)].push_back(
          Carry(cell, codes, seed, {.seconds = 45, .before = 15}));
    }
  }
  return result;
}

// Lines that lose by chance and are full as well, on which parities help much,
// hardly, or not at all.
constexpr std::array kCells = {
    Cell{2, Depth::kMiddle, 1, 200},    Cell{2, Depth::kDeep, 3, 40},
    Cell{10, Depth::kShallow, 0.1, 40}, Cell{10, Depth::kMiddle, 0.1, 200},
    Cell{10, Depth::kMiddle, 1, 40},    Cell{10, Depth::kMiddle, 1, 200},
    Cell{10, Depth::kShallow, 3, 40},   Cell{10, Depth::kMiddle, 3, 5}};

TEST(LineMatrix, TheChoiceOfACodeIsHardlyEverBelowTheBetterOfTwo) {
  double logs = 0;
  for (const Cell& cell : kCells) {
    const CellResult result = RunCell(cell);
    const Verdict verdict = Judge(result);
    std::cout << cell.name() << ": " << MedianMbit(result.of(Codes::kOff))
              << ' ' << MedianMbit(result.of(Codes::kFixed)) << ' '
              << MedianMbit(result.of(Codes::kAuto)) << '\n';
    EXPECT_GE(verdict.median, 0.85) << cell.name();
    logs += std::log(verdict.mean);
  }
  EXPECT_GE(std::exp(logs / static_cast<double>(kCells.size())), 0.97);
}

// Parities are withheld from a line that is full, and not from one that was: on
// this one the flow inside is held down by losses alone.
TEST(LineMatrix, ParitiesComeBackToALineThatIsFullNoMore) {
  const Cell cell{50, Depth::kShallow, 1, 200};
  const Span span{.seconds = 45, .before = 15};
  const double none = Carry(cell, Codes::kOff, 1, span).mbit;
  EXPECT_GE(Carry(cell, Codes::kFixed, 1, span).mbit, 6 * none);
  EXPECT_GE(Carry(cell, Codes::kAuto, 1, span).mbit, 5 * none);
}

}  // namespace
}  // namespace lwt::testing
