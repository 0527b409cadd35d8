#include "tests/support/line/line_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tests/support/line/line_run.h"

namespace lwt::testing {
namespace {

constexpr uint64_t kFrame = 1514;
constexpr uint64_t kOuterWindow = uint64_t{16} << 20;
constexpr uint64_t kSecond = 1'000'000;

fec::Settings SettingsOf(Codes codes) {
  fec::Settings settings;
  settings.mode = codes == Codes::kAuto    ? fec::Mode::kAuto
                  : codes == Codes::kFixed ? fec::Mode::kFixed
                                           : fec::Mode::kOff;
  settings.fixed = {10, 3, 1};
  return settings;
}

template <typename T>
double MedianOf(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1
             ? static_cast<double>(values[half])
             : static_cast<double>(values[half - 1] + values[half]) / 2;
}

// Of Student's distribution, both sides, 95 %, by the number of values.
double QuantileFor(size_t count) {
  constexpr std::array<double, 6> kQuantiles = {0,     0,     12.71,
                                                4.303, 3.182, 2.776};
  return kQuantiles[std::min(count, kQuantiles.size() - 1)];
}

uint64_t MedianLosses(const std::vector<Carried>& carried) {
  std::vector<uint64_t> losses;
  for (const Carried& each : carried) losses.push_back(each.losses);
  return static_cast<uint64_t>(MedianOf(losses));
}

}  // namespace

uint64_t Cell::queue_bytes() const {
  switch (depth) {
    case Depth::kShallow:
      return std::max(product() / 4, 5 * kFrame);
    case Depth::kMiddle:
      return std::max(product(), 10 * kFrame);
    case Depth::kDeep:
      return std::max(4 * product(), 40 * kFrame);
  }
  return 0;
}

LineOptions Cell::Line(uint64_t seed) const {
  return {.rate_bps = uint64_t{mbit} * 1'000'000,
          .queue_bytes = queue_bytes(),
          .delay_us = uint64_t{trip_ms} * 500,
          .loss = loss_percent / 100,
          .seed = seed};
}

uint64_t Cell::window() const {
  return 2 * (product() + queue_bytes()) / TcpFlow::kBytes;
}

bool Cell::is_bound_by_window() const {
  return product() + queue_bytes() > kOuterWindow;
}

std::string Cell::name() const {
  constexpr std::array<const char*, 3> kNames = {"shallow", "middle", "deep"};
  char text[64];
  std::snprintf(text, sizeof(text), "%u Mbit/s %s %g %% %u ms", mbit,
                kNames[static_cast<size_t>(depth)], loss_percent, trip_ms);
  return text;
}

Carried Carry(const Cell& cell, Codes codes, uint64_t seed, const Span& span) {
  LineRunOptions options;
  options.line = cell.Line(seed);
  options.fec = SettingsOf(codes);
  LineRun run(options);
  const auto way =
      codes == Codes::kBare ? LineRun::Way::kBare : LineRun::Way::kTunnel;
  TcpFlow flow({.most = cell.window()});
  PingFlow ping;
  run.Add(flow, way);
  run.Add(ping, way);
  run.Run(span.before * kSecond);
  const uint64_t from = flow.receiver.next();
  const uint64_t lost = run.line().counts().lost;
  const uint64_t judged = span.seconds - span.before;
  run.Run(judged * kSecond);
  Carried carried;
  carried.mbit =
      static_cast<double>((flow.receiver.next() - from) * TcpFlow::kBytes * 8) /
      1e6 / static_cast<double>(judged);
  carried.losses = run.line().counts().lost - lost;
  carried.ping_ms = ping.mean_ms();
  const OuterTcp::FlowStats outer = run.outer();
  const auto sent =
      static_cast<double>(std::max<uint64_t>(outer.segments_sent, 1));
  carried.again = static_cast<double>(outer.segments_retransmitted) / sent;
  carried.parities =
      static_cast<double>(run.client().lane_counters[0].parities_sent.Get()) /
      sent;
  return carried;
}

double MedianMbit(const std::vector<Carried>& carried) {
  std::vector<double> rates;
  for (const Carried& each : carried) rates.push_back(each.mbit);
  return MedianOf(rates);
}

Verdict Judge(const CellResult& result) {
  const auto& automatic = result.of(Codes::kAuto);
  Verdict verdict;
  const auto& fixed = result.of(Codes::kFixed);
  if (!fixed.empty() && MedianLosses(automatic) >= Verdict::kFewLosses &&
      MedianMbit(fixed) > MedianMbit(result.of(Codes::kOff))) {
    verdict.against = Codes::kFixed;
  }
  const auto& other = result.of(verdict.against);
  std::vector<double> logs;
  double sum = 0;
  for (size_t i = 0; i < automatic.size(); ++i) {
    logs.push_back(std::log(automatic[i].mbit / other[i].mbit));
    sum += logs.back();
  }
  const auto count = static_cast<double>(logs.size());
  const double mean = sum / count;
  double squares = 0;
  for (const double each : logs) squares += (each - mean) * (each - mean);
  const double error = std::sqrt(squares / std::max(count - 1, 1.0) / count);
  verdict.median = std::exp(MedianOf(logs));
  verdict.mean = std::exp(mean);
  verdict.upper = std::exp(mean + QuantileFor(logs.size()) * error);
  return verdict;
}

}  // namespace lwt::testing
