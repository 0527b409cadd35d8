#include "control/telemetry/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "control/base/printable.h"
#include "drivers/check.h"

namespace lwt::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::string_view kPeerStates[] = {"connecting", "up", "suspect",
                                            "down"};

// Text of a peer's is none that Prometheus would refuse a whole page for.
ClientMetric::Label LabelOf(std::string name, std::string_view value) {
  return {std::move(name), api::Printable(value)};
}

// The page, each family in the place of its first series.
class Families {
 public:
  void State(std::string_view name, Labels labels, uint64_t value) {
    const auto* metric = std::find_if(
        std::begin(kStateMetrics), std::end(kStateMetrics),
        [&](const StateMetric& each) { return each.name == name; });
    LWT_CHECK(metric != std::end(kStateMetrics), "a state without a name");
    const bool counter = name.ends_with("_total");
    Put(Of(std::string(name), metric->help,
           counter ? MetricType::Counter : MetricType::Gauge),
        std::move(labels), static_cast<double>(value));
  }
  // What has no value yet is left out.
  void Numbers(std::string_view prefix, const Readings& readings,
               const Labels& labels) {
    for (size_t i = 0; i < readings.values.size(); ++i) {
      const Metric& metric = readings.metrics[i];
      if (readings.values[i] == kNoValue) continue;
      const bool micro = metric.unit == MetricUnit::kMicroseconds;
      const double value = static_cast<double>(readings.values[i]);
      Put(Of(MetricsName(prefix, metric), metric.help,
             metric.kind == MetricKind::kCounter ? MetricType::Counter
                                                 : MetricType::Gauge),
          labels, micro ? value / 1e6 : value);
    }
  }
  std::string Text() const {
    return prometheus::TextSerializer().Serializer::Serialize(families_);
  }

 private:
  MetricFamily& Of(const std::string& name, std::string_view help,
                   MetricType type) {
    const auto [at, added] = index_.try_emplace(name, families_.size());
    if (added) families_.push_back({name, std::string(help), type, {}});
    return families_[at->second];
  }
  static void Put(MetricFamily& family, Labels labels, double value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    if (family.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }

  std::vector<MetricFamily> families_;
  std::unordered_map<std::string, size_t> index_;
};

// The same as long as the peer is: a name, at a client its hub, or a key.
std::string NameOfPeer(const PeerStatus& peer) {
  for (const std::string* name :
       {&peer.name, &peer.hub, &peer.public_key, &peer.endpoint}) {
    if (!name->empty()) return *name;
  }
  return peer.path;
}

// Of several things together.
void AddReadings(Readings& sum, const Readings& other) {
  for (size_t i = 0; i < sum.values.size(); ++i) {
    if (other.values[i] == kNoValue) continue;
    if (sum.values[i] == kNoValue) {
      sum.values[i] = other.values[i];
    } else {
      AddReading(sum.metrics[i].kind, sum.values[i], other.values[i]);
    }
  }
}

constexpr auto kAllOfPeer = [] {
  std::array<Metric,
             PeerReading::kMetrics.size() + LaneReading::kMetrics.size()>
      all{};
  std::copy(PeerReading::kMetrics.begin(), PeerReading::kMetrics.end(),
            all.begin());
  std::copy(LaneReading::kMetrics.begin(), LaneReading::kMetrics.end(),
            all.begin() + PeerReading::kMetrics.size());
  return all;
}();

// What a session has, and what its lanes make together.
Readings ReadingsOf(const PeerStatus& peer) {
  Readings all{kAllOfPeer, peer.reading.All().values};
  const Readings totals = peer.totals.All();
  all.values.insert(all.values.end(), totals.values.begin(),
                    totals.values.end());
  return all;
}

// By name; two of one name, of which one takes the other's place, are one.
std::map<std::string, Readings> PeersByName(const Status& status) {
  std::map<std::string, Readings> peers;
  for (const PeerStatus& peer : status.peers) {
    const Readings readings = ReadingsOf(peer);
    const auto [at, added] = peers.try_emplace(NameOfPeer(peer), readings);
    if (!added) AddReadings(at->second, readings);
  }
  return peers;
}

void PutHead(const Status& status, Families& page) {
  page.State("lwt_build_info",
             {LabelOf("version", status.version), LabelOf("mode", status.mode),
              LabelOf("protocol", std::to_string(status.protocol)),
              LabelOf("encryption", status.encryption)},
             1);
  page.Numbers("lwt", status.reading.All(), {});
  page.State("lwt_uplink_up",
             {LabelOf("device", status.uplink.device),
              LabelOf("driver", status.uplink.driver)},
             status.uplink.up ? 1 : 0);
  page.Numbers("lwt_uplink", status.uplink.reading.All(), {});
  page.Numbers("lwt_tunnel", status.tunnel.reading.All(), {});
  if (!status.nat.name.empty()) {
    page.State("lwt_nat_info",
               {LabelOf("name", status.nat.name),
                LabelOf("mapping", status.nat.mapping),
                LabelOf("filtering", status.nat.filtering)},
               1);
  }
  if (status.lan.device.empty()) return;
  page.State("lwt_lan_up",
             {LabelOf("device", status.lan.device),
              LabelOf("driver", status.lan.driver)},
             status.lan.up ? 1 : 0);
  page.Numbers("lwt_lan", status.lan.reading.All(), {});
}

void PutPeer(const std::string& name, const PeerStatus& peer, Families& page) {
  std::string addresses;
  for (const std::string& address : peer.tunnel_addresses) {
    addresses += (addresses.empty() ? "" : ",") + address;
  }
  page.State("lwt_peer_up", {LabelOf("peer", name)},
             peer.state == "up" ? 1 : 0);
  page.State("lwt_peer_state",
             {LabelOf("peer", name), LabelOf("state", peer.state)}, 1);
  page.State(
      "lwt_peer_info",
      {LabelOf("peer", name), LabelOf("path", peer.path),
       LabelOf("addresses", addresses), LabelOf("version", peer.version)},
      1);
}

// Of two peers of one name the one that is up counts, else the last.
std::map<std::string, const PeerStatus*> StatesByName(const Status& status) {
  std::map<std::string, const PeerStatus*> states;
  for (const PeerStatus& peer : status.peers) {
    const PeerStatus*& state = states[NameOfPeer(peer)];
    if (state == nullptr || state->state != "up") state = &peer;
  }
  return states;
}

// States first, with zeros for those that nobody is in: an alert needs them.
void PutCounts(const Status& status, Families& page) {
  std::map<std::string, uint64_t> states;
  for (const std::string_view state : kPeerStates) {
    states[std::string(state)] = 0;
  }
  std::map<std::pair<std::string, std::string>, uint64_t> routes;
  for (const PeerStatus& peer : status.peers) {
    ++states[peer.state];
    for (const RouteStatus& route : peer.routes) {
      ++routes[{route.ours ? "us" : "peer", route.state}];
    }
  }
  for (const auto& [state, count] : states) {
    page.State("lwt_peers", {LabelOf("state", state)}, count);
  }
  for (const auto& [which, count] : routes) {
    page.State("lwt_routes",
               {LabelOf("of", which.first), LabelOf("state", which.second)},
               count);
  }
  page.State("lwt_held_routes", {}, status.held_routes.size());
  page.State("lwt_banned_keys", {}, status.banned.size());
}

// The group without a source is the sum of the workers, which Prometheus makes.
void PutCounters(const Status& status, Families& page) {
  for (size_t i = 0; i < status.workers.size(); ++i) {
    page.Numbers("lwt_worker", status.workers[i].reading.All(),
                 {LabelOf("worker", std::to_string(i))});
  }
  for (size_t i = 0; i < status.drops.values.size(); ++i) {
    page.State("lwt_drops_total",
               {LabelOf("reason", status.drops.metrics[i].name)},
               status.drops.values[i]);
  }
  for (const CounterGroup& group : status.counters) {
    if (group.source.empty()) continue;
    page.Numbers("lwt_" + group.source, group.readings, {});
  }
  for (const PoolStatus& pool : status.pools) {
    page.Numbers("lwt_pool", pool.reading.All(), {LabelOf("pool", pool.name)});
  }
}

}  // namespace

std::string MetricsName(std::string_view prefix, const Metric& metric) {
  std::string_view stem = metric.name;
  std::string_view unit;
  if (metric.unit == MetricUnit::kMicroseconds) {
    stem.remove_suffix(std::string_view("_us").size());
    unit = "_seconds";
  } else if (metric.unit == MetricUnit::kSeconds) {
    stem.remove_suffix(std::string_view("_s").size());
    unit = "_seconds";
  } else if (metric.unit == MetricUnit::kBytes && !stem.ends_with("bytes")) {
    unit = "_bytes";
  }
  std::string name(prefix);
  name.append("_").append(stem).append(unit);
  if (metric.kind == MetricKind::kCounter) name.append("_total");
  return name;
}

void MetricsWriter::AddUp(const std::map<std::string, Readings>& peers) {
  sum_.resize(kAllOfPeer.size());
  std::map<std::string, Values> seen;
  for (const auto& [name, readings] : peers) {
    const auto before = seen_.find(name);
    for (size_t i = 0; i < sum_.size(); ++i) {
      const uint64_t now = readings.values[i];
      const uint64_t then = before == seen_.end() ? 0 : before->second[i];
      // One that came back begins again.
      sum_[i] += now >= then ? now - then : now;
    }
    seen.emplace(name, readings.values);
  }
  seen_ = std::move(seen);
}

std::string MetricsWriter::Write(const Status& status) {
  Families page;
  PutHead(status, page);
  PutCounts(status, page);
  const std::map<std::string, Readings> peers = PeersByName(status);
  AddUp(peers);
  if (peers.size() <= kMaxPeers) {
    for (const auto& [name, peer] : StatesByName(status)) {
      PutPeer(name, *peer, page);
      page.Numbers("lwt_peer", peers.at(name), {LabelOf("peer", name)});
    }
  } else {
    Readings all = peers.begin()->second;
    for (const auto& [name, readings] : peers) AddReadings(all, readings);
    for (size_t i = 0; i < all.values.size(); ++i) {
      if (all.metrics[i].kind == MetricKind::kCounter) all.values[i] = sum_[i];
    }
    page.Numbers("lwt_peer", all, {});
  }
  PutCounters(status, page);
  return page.Text();
}

}  // namespace lwt::telemetry
