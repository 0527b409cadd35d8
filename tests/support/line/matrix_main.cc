// line_matrix: the matrix of lines, run by run, for the eye and for
// docs/performance.md.
//
//   line_matrix run RATES [SEEDS [SECONDS [CODES]]]  a line of text for each
//   line_matrix judge < LINES                        the table of cells
//
// RATES and CODES are lists with commas; the time not judged is a third.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/line/line_matrix.h"

namespace lwt::testing {
namespace {

bool Names(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

void RunCell(const Cell& cell, const std::string& codes, uint64_t seeds,
             const Span& span) {
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    for (size_t i = 0; i < kCodesNames.size(); ++i) {
      if (!Names(codes, kCodesNames[i])) continue;
      const Carried carried = Carry(cell, static_cast<Codes>(i), seed, span);
      std::printf("%u %d %g %u %zu %lu %.4f %lu %.2f %.5f %.5f\n", cell.mbit,
                  static_cast<int>(cell.depth), cell.loss_percent, cell.trip_ms,
                  i, seed, carried.mbit, carried.losses, carried.ping_ms,
                  carried.again, carried.parities);
      std::fflush(stdout);
    }
  }
}

void RunMatrix(const std::string& rates, uint64_t seeds, const Span& span,
               const std::string& codes) {
  for (const uint32_t mbit : kRates) {
    if (!Names(rates, std::to_string(mbit))) continue;
    for (const Depth depth : kDepths) {
      for (const double loss : kLossPercents) {
        for (const uint32_t trip_ms : kTripsMs) {
          RunCell({mbit, depth, loss, trip_ms}, codes, seeds, span);
        }
      }
    }
  }
}

void JudgeLines() {
  std::map<Cell, CellResult> results;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    Cell cell;
    int depth = 0;
    size_t codes = 0;
    uint64_t seed = 0;
    Carried carried;
    in >> cell.mbit >> depth >> cell.loss_percent >> cell.trip_ms >> codes >>
        seed >> carried.mbit >> carried.losses >> carried.ping_ms >>
        carried.again >> carried.parities;
    if (!in || codes >= kCodesNames.size()) continue;
    cell.depth = static_cast<Depth>(depth);
    CellResult& result = results[cell];
    result.cell = cell;
    result.by_codes[codes].push_back(carried);
  }
  double sum = 0;
  size_t count = 0;
  size_t low = 0;
  for (const auto& [cell, result] : results) {
    const auto& automatic = result.of(Codes::kAuto);
    const auto& off = result.of(Codes::kOff);
    if (automatic.empty() || automatic.size() != off.size()) continue;
    const Verdict verdict = Judge(result);
    std::printf("%-28s", cell.name().c_str());
    for (size_t i = 0; i < kCodesNames.size(); ++i) {
      if (result.by_codes[i].empty()) continue;
      std::printf(" %s %8.2f", kCodesNames[i], MedianMbit(result.by_codes[i]));
    }
    const bool is_low = verdict.median < 0.90 || verdict.upper < 0.97;
    std::printf(" | %-4s %.3f %.3f %.3f%s%s\n",
                kCodesNames[static_cast<size_t>(verdict.against)],
                verdict.median, verdict.mean, verdict.upper,
                is_low ? " LOW" : "",
                cell.is_bound_by_window() ? " (window)" : "");
    sum += std::log(verdict.mean);
    low += is_low ? 1 : 0;
    ++count;
  }
  if (count == 0) return;
  std::printf("%zu cells, %zu low, geometric mean %.3f\n", count, low,
              std::exp(sum / static_cast<double>(count)));
}

int Main(int argc, char** argv) {
  const auto arg = [&](int i, const char* fallback) {
    return std::string(i < argc ? argv[i] : fallback);
  };
  if (arg(1, "") == "judge") {
    JudgeLines();
    return 0;
  }
  const uint64_t seconds = std::strtoull(arg(4, "60").c_str(), nullptr, 10);
  RunMatrix(arg(2, "2,10,50,100,500"),
            std::strtoull(arg(3, "5").c_str(), nullptr, 10),
            {.seconds = seconds, .before = seconds / 3},
            arg(5, "off,10+3,auto"));
  return 0;
}

}  // namespace
}  // namespace lwt::testing

int main(int argc, char** argv) { return lwt::testing::Main(argc, argv); }
