// What is counted and measured. A list names each number once, as
// X(member, kind, unit, help):
//
//   X(buffers, kGauge, kNumber, "Buffers that the pool has.")
//   X(in_use, kGauge, kNumber, "Those that are not free.")
//
// LWT_READING(PoolReading, LIST) makes of it a struct of plain numbers, and
// what each of them is; all that adds, resets and prints them follows from the
// list.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lwt {

enum class MetricKind : uint8_t {
  kCounter,  // grows from zero; of several things the sum
  kGauge,    // how it is now; of several things the largest
};

enum class MetricUnit : uint8_t {
  kNumber,  // of what the sentence says
  kBytes,
  kCycles,        // of the TSC
  kMicroseconds,  // names end in _us
  kSeconds,       // names end in _s
};

struct Metric {
  std::string_view name;
  MetricKind kind = MetricKind::kCounter;
  MetricUnit unit = MetricUnit::kNumber;
  std::string_view help;  // a sentence for operators
};

// A gauge that has nothing to show yet.
inline constexpr uint64_t kNoValue = UINT64_MAX;

// The numbers of one thing at one moment.
struct Readings {
  std::span<const Metric> metrics;
  std::vector<uint64_t> values;  // one for each
};

inline void AddReading(MetricKind kind, uint64_t& sum, uint64_t value) {
  sum = kind == MetricKind::kCounter ? sum + value : std::max(sum, value);
}

}  // namespace lwt

#define LWT_METRIC(member, kind, unit, help)                               \
  ::lwt::Metric{#member, ::lwt::MetricKind::kind, ::lwt::MetricUnit::unit, \
                help},
#define LWT_METRIC_MEMBER(member, kind, unit, help) uint64_t member = 0;
#define LWT_METRIC_VALUE(member, kind, unit, help) member,
#define LWT_METRIC_ADD(member, kind, unit, help) \
  ::lwt::AddReading(::lwt::MetricKind::kind, member, other.member);

#define LWT_READING(Name, LIST)                                \
  struct Name {                                                \
    LIST(LWT_METRIC_MEMBER)                                    \
    static constexpr std::array kMetrics = {LIST(LWT_METRIC)}; \
    /* Those of several things together. */                    \
    void Add(const Name& other) { LIST(LWT_METRIC_ADD) }       \
    ::lwt::Readings All() const {                              \
      return {kMetrics, {LIST(LWT_METRIC_VALUE)}};             \
    }                                                          \
  }
