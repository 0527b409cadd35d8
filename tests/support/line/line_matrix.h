// The matrix of lines: what each choice of a code carries of one flow inside,
// on lines of every rate, queue, round trip and loss, in fake time; and how the
// choices are judged against each other.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/line/line_model.h"

namespace lwt::testing {

// How much a line's queue holds, of its bandwidth-delay product: a quarter but
// 5 packets at least, all of it but 10, four times it but 40.
enum class Depth : uint8_t { kShallow, kMiddle, kDeep };

// Which codes are sent; kBare is the same flow beside the tunnel.
enum class Codes : uint8_t { kBare, kOff, kFixed, kAuto };
inline constexpr std::array<const char*, 4> kCodesNames = {"bare", "off",
                                                           "10+3", "auto"};

struct Cell {
  uint32_t mbit = 10;
  Depth depth = Depth::kMiddle;
  double loss_percent = 0;
  uint32_t trip_ms = 40;

  auto operator<=>(const Cell&) const = default;
  uint64_t product() const { return uint64_t{mbit} * trip_ms * 1000 / 8; }
  uint64_t queue_bytes() const;
  LineOptions Line(uint64_t seed) const;
  // What the buffers at the ends hold: twice what is on the way, in packets.
  uint64_t window() const;
  // The flow inside may have more under way than one outer flow.
  bool is_bound_by_window() const;
  std::string name() const;
};

inline constexpr std::array<uint32_t, 5> kRates = {2, 10, 50, 100, 500};
inline constexpr std::array<Depth, 3> kDepths = {Depth::kShallow,
                                                 Depth::kMiddle, Depth::kDeep};
inline constexpr std::array<double, 4> kLossPercents = {0, 0.1, 1, 3};
inline constexpr std::array<uint32_t, 3> kTripsMs = {5, 40, 200};

struct Span {
  uint64_t seconds = 60;
  uint64_t before = 20;  // of them not judged
};

struct Carried {
  double mbit = 0;
  uint64_t losses = 0;  // by chance, in the judged time
  double ping_ms = 0;
  double again = 0;     // of the outer segments
  double parities = 0;  // of the outer segments
};

Carried Carry(const Cell& cell, Codes codes, uint64_t seed, const Span& span);

// All seeds of a cell, in the same order for each choice.
struct CellResult {
  Cell cell;
  std::array<std::vector<Carried>, 4> by_codes;

  const std::vector<Carried>& of(Codes codes) const {
    return by_codes[static_cast<size_t>(codes)];
  }
};

// What is said of a cell: auto over the better of the others by its median, or
// over none alone where few losses tell little of a code.
struct Verdict {
  static constexpr uint64_t kFewLosses = 100;

  Codes against = Codes::kOff;
  double median = 1;
  double mean = 1;   // geometric
  double upper = 1;  // of the mean, 95 %
};

Verdict Judge(const CellResult& result);

double MedianMbit(const std::vector<Carried>& carried);

}  // namespace lwt::testing
