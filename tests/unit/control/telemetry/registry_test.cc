// The registry, and docs/observability.md, which repeats it: neither may hold
// what the other lacks.
#include "control/telemetry/registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "control/base/events.h"

namespace lwt::telemetry {
namespace {

std::string_view NameOf(MetricKind kind) {
  return kind == MetricKind::kCounter ? "counter" : "gauge";
}

std::string_view NameOf(MetricUnit unit) {
  switch (unit) {
    case MetricUnit::kNumber:
      return "";
    case MetricUnit::kBytes:
      return "bytes";
    case MetricUnit::kCycles:
      return "cycles";
    case MetricUnit::kMicroseconds:
      return "µs";
    case MetricUnit::kSeconds:
      return "s";
  }
  return "";
}

// The table of a section, as the page has to have it.
std::string TableOf(std::span<const Metric> metrics) {
  std::string table = "| name | kind | unit | sentence |\n|---|---|---|---|\n";
  for (const Metric& metric : metrics) {
    for (const std::string_view part :
         {std::string_view("| `"), metric.name, std::string_view("` | "),
          NameOf(metric.kind), std::string_view(" | "), NameOf(metric.unit),
          std::string_view(" | "), metric.help, std::string_view(" |\n")}) {
      table.append(part);
    }
  }
  return table;
}

// The tables of one section, one behind the other.
std::string DocumentedIn(const std::string& section) {
  const std::string path =
      std::string(LWT_SOURCE_ROOT) + "/docs/observability.md";
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::string tables;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## " + section;
    if (inside && line.starts_with('|')) tables += line + "\n";
  }
  return tables;
}

TEST(Registry, IsWhatThePageSays) {
  EXPECT_EQ(DocumentedIn("Worker counters"), TableOf(WorkerReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Port counters"), TableOf(PortReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Lanes"), TableOf(LaneReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Peers"), TableOf(PeerReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Gateway"), TableOf(GatewayReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Uplink"), TableOf(UplinkReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Tunnel device"), TableOf(TunnelReading::kMetrics));
  EXPECT_EQ(DocumentedIn("LAN port"), TableOf(LanReading::kMetrics));
  EXPECT_EQ(DocumentedIn("Pools"), TableOf(PoolReading::kMetrics));
}

TEST(Registry, EachKindOfEventHasARowOnThePage) {
  const std::string rows = DocumentedIn("Events");
  size_t kinds = 0;
  for (; NameOf(static_cast<loop::EventKind>(kinds)) != "?"; ++kinds) {
    const std::string name(NameOf(static_cast<loop::EventKind>(kinds)));
    EXPECT_NE(rows.find("\n| `" + name + "` | "), std::string::npos) << name;
  }
  EXPECT_GT(kinds, 5u);
  EXPECT_EQ(static_cast<size_t>(std::count(rows.begin(), rows.end(), '\n')),
            kinds + 2);
}

TEST(Registry, EachNumberHasANameAndASentence) {
  const std::span<const Metric> lists[] = {kDropMetrics,
                                           WorkerReading::kMetrics,
                                           PortReading::kMetrics,
                                           LaneReading::kMetrics,
                                           PeerReading::kMetrics,
                                           GatewayReading::kMetrics,
                                           UplinkReading::kMetrics,
                                           TunnelReading::kMetrics,
                                           LanReading::kMetrics,
                                           PoolReading::kMetrics};
  for (const std::span<const Metric> list : lists) {
    std::set<std::string_view> names;
    for (const Metric& metric : list) {
      EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
      EXPECT_EQ(metric.name.find_first_not_of(
                    "abcdefghijklmnopqrstuvwxyz0123456789_"),
                std::string_view::npos)
          << metric.name;
      EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
      if (metric.unit == MetricUnit::kMicroseconds) {
        EXPECT_TRUE(metric.name.ends_with("_us")) << metric.name;
      }
      if (metric.unit == MetricUnit::kSeconds) {
        EXPECT_TRUE(metric.name.ends_with("_s")) << metric.name;
      }
    }
  }
}

TEST(Registry, CountersAddUpAndGaugesTakeTheLargest) {
  LaneReading sum{.rx_packets = 5, .srtt_us = 90, .fec_tx_data = 8};
  sum.Add({.rx_packets = 7, .srtt_us = 40, .fec_tx_data = 16});
  EXPECT_EQ(sum.rx_packets, 12u);
  EXPECT_EQ(sum.srtt_us, 90u);
  EXPECT_EQ(sum.fec_tx_data, 16u);
}

TEST(Registry, AReadingHasItsNumbersInTheOrderOfItsList) {
  const Readings all = LaneReading{.rx_packets = 3, .rx_bytes = 4}.All();
  ASSERT_EQ(all.values.size(), all.metrics.size());
  EXPECT_EQ(all.metrics[0].name, "rx_packets");
  EXPECT_EQ(all.values[0], 3u);
  EXPECT_EQ(all.values[1], 4u);
  EXPECT_EQ(LaneReading::kMetrics[kTrafficMetrics].name, "records_lost");
}

}  // namespace
}  // namespace lwt::telemetry
