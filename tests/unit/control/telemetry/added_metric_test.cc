// A component, a number of its own and a printer, all of this test's: one more
// number touches no printer, and one more printer no number
// (docs/CONTRIBUTING.md, "A counter or a reading").
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "control/telemetry/printer.h"

namespace lwt::telemetry {
namespace {

// The list: all that is written of these numbers anywhere.
#define LWT_GREETER_METRICS(X)                                       \
  X(greetings, kCounter, kNumber, "Greetings that were said.")       \
  X(longest_us, kGauge, kMicroseconds, "What the longest one took.") \
  X(said_bytes, kCounter, kBytes, "Their bytes.")
LWT_READING(GreeterReading, LWT_GREETER_METRICS);

// One number a line, with its kind, unit and sentence: as much as a page of
// OpenMetrics has to say.
class LinePrinter final : public Printer {
 public:
  void Text(std::string_view, std::string_view) override {}
  void Texts(std::string_view, const std::vector<std::string>&) override {}
  void Flag(std::string_view, bool) override {}
  void Id(std::string_view, uint64_t) override {}
  void Number(std::string_view name, const Metric& metric,
              uint64_t value) override {
    if (value == kNoValue) return;
    std::string path;
    for (const std::string& key : inside_) path += key + ".";
    const bool counter = metric.kind == MetricKind::kCounter;
    lines.push_back("# " + std::string(metric.help));
    lines.push_back(path + std::string(name) + (counter ? "_total " : " ") +
                    std::to_string(value));
    units[path + std::string(name)] = metric.unit;
  }
  void BeginObject(std::string_view key) override { inside_.emplace_back(key); }
  void EndObject() override { inside_.pop_back(); }
  void BeginList(std::string_view key) override { inside_.emplace_back(key); }
  void EndList() override { inside_.pop_back(); }

  bool Has(std::string_view line) const {
    return std::find(lines.begin(), lines.end(), line) != lines.end();
  }
  bool balanced() const { return inside_.empty(); }

  std::vector<std::string> lines;
  std::map<std::string, MetricUnit> units;

 private:
  std::vector<std::string> inside_;
};

Status WithGreeter() {
  GreeterReading greeter{.greetings = 3, .longest_us = 70, .said_bytes = 24};
  greeter.Add({.greetings = 1, .longest_us = 90, .said_bytes = 8});
  Status status;
  status.counters.push_back({"greeter", greeter.All()});
  return status;
}

TEST(AddedMetric, IsInTheJson) {
  EXPECT_NE(ToJson(WithGreeter())
                .find(R"("counters":{"greeter_greetings":4,)"
                      R"("greeter_longest_us":90,"greeter_said_bytes":32})"),
            std::string::npos)
      << ToJson(WithGreeter());
}

TEST(AddedMetric, IsInTheTable) {
  EXPECT_NE(ToTable(WithGreeter()).find("greeter_greetings   4\n"),
            std::string::npos)
      << ToTable(WithGreeter());
}

TEST(AddedMetric, IsInAPrinterThatKnowsNothingOfIt) {
  LinePrinter printer;
  Print(WithGreeter(), printer);
  EXPECT_TRUE(printer.balanced());
  EXPECT_TRUE(printer.Has("# Greetings that were said."));
  EXPECT_TRUE(printer.Has(".counters.greeter_greetings_total 4"));
  EXPECT_TRUE(printer.Has(".counters.greeter_longest_us 90"));
  EXPECT_EQ(printer.units[".counters.greeter_said_bytes"], MetricUnit::kBytes);
}

TEST(AddedPrinter, GetsEveryNumberOfTheRegistry) {
  Status status;
  status.lan.device = "eth1";
  status.peers.emplace_back().lane_list.emplace_back();
  status.peers.front().reading = {};
  status.workers.emplace_back();
  status.pools.emplace_back();
  status.drops = {kDropMetrics,
                  std::vector<uint64_t>(std::size(kDropMetrics), 5)};
  status.counters = {{"", WorkerReading{}.All()},
                     {"uplink", PortReading{}.All()}};
  LinePrinter printer;
  Print(status, printer);
  size_t numbers = 0;
  const auto expect = [&](std::span<const Metric> metrics,
                          const std::string& path, const char* prefix = "") {
    for (const Metric& metric : metrics) {
      const std::string name = path + prefix + std::string(metric.name);
      EXPECT_TRUE(printer.units.contains(name)) << name;
      EXPECT_EQ(printer.units[name], metric.unit) << name;
      EXPECT_TRUE(printer.Has("# " + std::string(metric.help))) << name;
      ++numbers;
    }
  };
  expect(GatewayReading::kMetrics, ".");
  expect(UplinkReading::kMetrics, ".uplink.");
  expect(TunnelReading::kMetrics, ".tunnel.");
  expect(LanReading::kMetrics, ".lan.");
  expect(PeerReading::kMetrics, ".peers..");
  expect(LaneReading::kMetrics, ".peers..lane_list..");
  expect(WorkerReading::kMetrics, ".workers..");
  expect(kDropMetrics, ".drops.");
  expect(WorkerReading::kMetrics, ".counters.");
  expect(PortReading::kMetrics, ".counters.", "uplink_");
  expect(PoolReading::kMetrics, ".memory.pools..");
  EXPECT_GT(numbers, 150u);
}

TEST(AddedPrinter, IsToldWhatHasNoValueYet) {
  Status status;
  status.peers.emplace_back();
  LinePrinter printer;
  Print(status, printer);
  EXPECT_FALSE(printer.units.contains(".peers..rtt_us"));
  EXPECT_TRUE(printer.units.contains(".peers..mtu"));
}

}  // namespace
}  // namespace lwt::telemetry
