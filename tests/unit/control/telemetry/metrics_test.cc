// The page that Prometheus reads, against the registry and against
// docs/observability.md: no number and no state is in one and not in another.
#include "control/telemetry/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace lwt::telemetry {
namespace {

PeerStatus Peer(const std::string& key, uint64_t rx_bytes) {
  PeerStatus peer;
  peer.public_key = key;
  peer.state = "up";
  peer.path = "client";
  peer.totals.rx_bytes = rx_bytes;
  return peer;
}

// Everything that a gateway may have is there once.
Status WithAll() {
  Status status;
  status.version = "0.2.0";
  status.mode = "server";
  status.uplink.device = "eth0";
  status.lan.device = "eth1";
  status.nat.name = "full cone";
  status.peers.push_back(Peer("KEY=", 7));
  status.peers[0].reading = {.rtt_us = 1500, .last_heard_s = 3, .mtu = 1409};
  status.peers[0].routes = {{.network = "10.20.0.0/16", .state = "accepted"}};
  status.workers.resize(2);
  status.workers[1].reading.busy_cycles = 5;
  status.drops = {kDropMetrics,
                  std::vector<uint64_t>(std::size(kDropMetrics), 4)};
  status.counters = {{"", WorkerReading{}.All()},
                     {"uplink", PortReading{.rx_missed = 2}.All()},
                     {"tunnel", PortReading{}.All()},
                     {"lan_port", PortReading{}.All()}};
  status.pools = {{"small", {.buffers = 4096, .in_use = 17}}};
  return status;
}

std::set<std::string> Lines(const std::string& page) {
  std::istringstream stream(page);
  std::set<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

// Each family with its sentence.
std::set<std::string> FamiliesOf(const std::string& page) {
  std::set<std::string> families;
  for (const std::string& line : Lines(page)) {
    if (line.starts_with("# HELP ")) families.insert(line.substr(7));
  }
  return families;
}

using Lists = std::vector<std::pair<std::string, std::span<const Metric>>>;

// What is written with which beginning.
Lists Registry() {
  return {{"lwt", GatewayReading::kMetrics},
          {"lwt_uplink", UplinkReading::kMetrics},
          {"lwt_tunnel", TunnelReading::kMetrics},
          {"lwt_lan", LanReading::kMetrics},
          {"lwt_peer", PeerReading::kMetrics},
          {"lwt_peer", LaneReading::kMetrics},
          {"lwt_worker", WorkerReading::kMetrics},
          {"lwt_uplink", PortReading::kMetrics},
          {"lwt_tunnel", PortReading::kMetrics},
          {"lwt_lan_port", PortReading::kMetrics},
          {"lwt_pool", PoolReading::kMetrics}};
}

std::string ObservabilityPage() {
  std::ifstream file(std::string(LWT_SOURCE_ROOT) + "/docs/observability.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Metrics, AreTheRegistryAndTheStatesAndNothingElse) {
  std::set<std::string> expected;
  for (const auto& [prefix, metrics] : Registry()) {
    for (const Metric& metric : metrics) {
      const std::string line =
          MetricsName(prefix, metric) + " " + std::string(metric.help);
      EXPECT_TRUE(expected.insert(line).second) << "twice: " << line;
    }
  }
  for (const StateMetric& state : kStateMetrics) {
    expected.insert(std::string(state.name) + " " + std::string(state.help));
  }
  EXPECT_EQ(FamiliesOf(MetricsWriter().Write(WithAll())), expected);
}

TEST(Metrics, StatesAndBeginningsStandOnThePage) {
  const std::string page = ObservabilityPage();
  std::string states = "| name | labels | sentence |\n|---|---|---|\n";
  for (const StateMetric& state : kStateMetrics) {
    states += "| `" + std::string(state.name) + "` | " +
              std::string(state.labels) + " | " + std::string(state.help) +
              " |\n";
  }
  EXPECT_NE(page.find(states), std::string::npos) << states;
  for (const auto& [prefix, metrics] : Registry()) {
    EXPECT_NE(page.find("`" + prefix + "_`"), std::string::npos) << prefix;
  }
}

// Each "lwt_…" of a text.
std::set<std::string> NamesIn(const std::string& text) {
  std::set<std::string> names;
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  for (size_t at = text.find("lwt_"); at != std::string::npos;
       at = text.find("lwt_", at + 1)) {
    names.insert(text.substr(at, text.find_first_not_of(kLetters, at) - at));
  }
  return names;
}

std::string TextOf(const std::string& path) {
  std::ifstream file(LWT_SOURCE_ROOT + ("/" + path));
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Metrics, AlertsAndDashboardNameWhatIsThere) {
  const std::set<std::string> there = NamesIn(MetricsWriter().Write(WithAll()));
  for (const char* path :
       {"scripts/packaging/prometheus/lightweight-tunnel.rules.yml",
        "scripts/packaging/grafana/lightweight-tunnel.json"}) {
    const std::set<std::string> named = NamesIn(TextOf(path));
    EXPECT_GT(named.size(), 10u) << path;
    for (const std::string& name : named) {
      EXPECT_TRUE(there.contains(name)) << path << ": " << name;
    }
  }
}

// Reasons are what a query selects by; one that is none selects nothing.
TEST(Metrics, AlertsNameReasonsThatThereAre) {
  const std::string rules =
      TextOf("scripts/packaging/prometheus/lightweight-tunnel.rules.yml");
  size_t named = 0;
  for (const std::string_view select : {"reason=\"", "reason=~\""}) {
    for (size_t at = rules.find(select); at != std::string::npos;
         at = rules.find(select, at + 1)) {
      const size_t begin = at + select.size();
      std::istringstream reasons(
          rules.substr(begin, rules.find('"', begin) - begin));
      for (std::string reason; std::getline(reasons, reason, '|'); ++named) {
        EXPECT_TRUE(std::any_of(
            std::begin(kDropMetrics), std::end(kDropMetrics),
            [&](const Metric& metric) { return metric.name == reason; }))
            << reason;
      }
    }
  }
  EXPECT_GT(named, 5u);
}

TEST(Metrics, NamesHaveTheirUnitAndKind) {
  EXPECT_EQ(MetricsName("lwt_peer", {"rtt_us", MetricKind::kGauge,
                                     MetricUnit::kMicroseconds, ""}),
            "lwt_peer_rtt_seconds");
  EXPECT_EQ(MetricsName("lwt", {"uptime_s", MetricKind::kGauge,
                                MetricUnit::kSeconds, ""}),
            "lwt_uptime_seconds");
  EXPECT_EQ(MetricsName("lwt_peer", {"rx_bytes", MetricKind::kCounter,
                                     MetricUnit::kBytes, ""}),
            "lwt_peer_rx_bytes_total");
  EXPECT_EQ(MetricsName("lwt_tunnel",
                        {"mtu", MetricKind::kGauge, MetricUnit::kBytes, ""}),
            "lwt_tunnel_mtu_bytes");
}

TEST(Metrics, ValuesComeInBaseUnitsWithLabels) {
  const auto lines = Lines(MetricsWriter().Write(WithAll()));
  for (const char* line : {
           R"(lwt_peer_rtt_seconds{peer="KEY="} 0.0015)",
           R"(lwt_peer_rx_bytes_total{peer="KEY="} 7)",
           R"(lwt_peer_up{peer="KEY="} 1)",
           R"(lwt_peer_state{peer="KEY=",state="up"} 1)",
           R"(lwt_peers{state="up"} 1)",
           R"(lwt_peers{state="down"} 0)",
           R"(lwt_routes{of="peer",state="accepted"} 1)",
           R"(lwt_worker_busy_cycles_total{worker="1"} 5)",
           R"(lwt_drops_total{reason="bad_tag"} 4)",
           R"(lwt_uplink_rx_missed_total 2)",
           R"(lwt_pool_in_use{pool="small"} 17)",
           R"(# TYPE lwt_peer_rx_bytes_total counter)",
           R"(# TYPE lwt_drops_total counter)",
           R"(# TYPE lwt_peer_rtt_seconds gauge)",
       }) {
    EXPECT_TRUE(lines.contains(line)) << line;
  }
}

TEST(Metrics, WhatHasNoValueYetIsLeftOut) {
  Status status;
  status.peers.emplace_back().name = "office";
  const std::string page = MetricsWriter().Write(status);
  EXPECT_EQ(page.find("lwt_peer_rtt_seconds"), std::string::npos);
  EXPECT_NE(page.find("lwt_peer_mtu_bytes{peer=\"office\"} 0"),
            std::string::npos);
}

// Another list of numbers, of this test's own: no line of the writer is for it.
TEST(Metrics, ANewCounterAppearsByItself) {
  static constexpr Metric kVisits[] = {{"visits", MetricKind::kCounter,
                                        MetricUnit::kNumber,
                                        "Visits that were made."}};
  Status status;
  status.counters.push_back({"guest", {kVisits, {3}}});
  const auto lines = Lines(MetricsWriter().Write(status));
  EXPECT_TRUE(lines.contains("lwt_guest_visits_total 3"));
  EXPECT_TRUE(
      lines.contains("# HELP lwt_guest_visits_total Visits that were made."));
}

// One bad byte would have Prometheus refuse the whole page.
TEST(Metrics, WhatAPeerSaysOfItselfStaysALabel) {
  Status status = WithAll();
  status.peers[0].version = "1\"} 7\nevil 1\xff";
  const std::string page = MetricsWriter().Write(status);
  EXPECT_EQ(page.find("\nevil"), std::string::npos);
  EXPECT_NE(page.find(R"(version="1\"} 7?evil 1?"} 1)"), std::string::npos)
      << page;
}

// Prometheus refuses a page with a series twice.
TEST(Metrics, TwoPeersOfOneNameAreOneSeries) {
  Status status;
  status.peers = {Peer("KEY=", 5), Peer("KEY=", 7)};
  status.peers[1].state = "down";
  status.peers[1].reading.rtt_us = 9'000'000;
  const std::string page = MetricsWriter().Write(status);
  const auto lines = Lines(page);
  EXPECT_TRUE(lines.contains(R"(lwt_peer_rx_bytes_total{peer="KEY="} 12)"));
  EXPECT_TRUE(lines.contains(R"(lwt_peer_rtt_seconds{peer="KEY="} 9)"));
  EXPECT_TRUE(lines.contains(R"(lwt_peer_up{peer="KEY="} 1)"));
  size_t samples = 0;
  std::istringstream stream(page);
  for (std::string line; std::getline(stream, line);) {
    samples += line.starts_with("#") ? 0 : 1;
  }
  size_t unlike = 0;
  for (const std::string& line : lines) unlike += line.starts_with("#") ? 0 : 1;
  EXPECT_EQ(samples, unlike);
}

TEST(Metrics, ANameGoesBeforeTheHubAndTheKey) {
  Status status;
  status.peers = {Peer("KEY=", 5)};
  status.peers[0].hub = "vpn.example.com:9000";
  EXPECT_NE(MetricsWriter().Write(status).find(
                "lwt_peer_up{peer=\"vpn.example.com:9000\"}"),
            std::string::npos);
  status.peers[0].name = "office";
  EXPECT_NE(MetricsWriter().Write(status).find("lwt_peer_up{peer=\"office\"}"),
            std::string::npos);
}

Status Crowd(size_t peers, uint64_t rx_bytes) {
  Status status;
  for (size_t i = 0; i < peers; ++i) {
    status.peers.push_back(Peer("KEY" + std::to_string(i), rx_bytes));
    status.peers.back().reading.rtt_us = i * 1000;
  }
  return status;
}

TEST(Metrics, BeyondAThousandPeersAreToldTogether) {
  const std::string most =
      MetricsWriter().Write(Crowd(MetricsWriter::kMaxPeers, 2));
  EXPECT_NE(most.find("lwt_peer_rx_bytes_total{peer=\"KEY999\"} 2\n"),
            std::string::npos);
  const std::string more =
      MetricsWriter().Write(Crowd(MetricsWriter::kMaxPeers + 1, 2));
  EXPECT_EQ(more.find("peer="), std::string::npos);
  EXPECT_NE(more.find("\nlwt_peer_rx_bytes_total 2002\n"), std::string::npos);
  EXPECT_NE(more.find("\nlwt_peer_rtt_seconds 1\n"), std::string::npos);
  EXPECT_NE(more.find("\nlwt_peers{state=\"up\"} 1001\n"), std::string::npos);
}

// A rate would take a sum that falls for one that began again.
TEST(Metrics, ASumDoesNotFallWithAPeerThatGoes) {
  MetricsWriter writer;
  writer.Write(Crowd(1500, 10));
  EXPECT_NE(
      writer.Write(Crowd(1200, 10)).find("\nlwt_peer_rx_bytes_total 15000\n"),
      std::string::npos);
  // 1200 go on, and 300 are back from the beginning.
  EXPECT_NE(
      writer.Write(Crowd(1500, 11)).find("\nlwt_peer_rx_bytes_total 19500\n"),
      std::string::npos);
  // Fewer than are told one by one, and more again.
  writer.Write(Crowd(100, 11));
  EXPECT_NE(
      writer.Write(Crowd(1100, 11)).find("\nlwt_peer_rx_bytes_total 30500\n"),
      std::string::npos);
  // A session that began again counts from zero.
  EXPECT_NE(
      writer.Write(Crowd(1100, 1)).find("\nlwt_peer_rx_bytes_total 31600\n"),
      std::string::npos);
}

}  // namespace
}  // namespace lwt::telemetry
