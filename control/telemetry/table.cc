#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "control/base/printable.h"
#include "control/telemetry/status.h"

namespace lwt::telemetry {
namespace {

using api::Printable;
using Row = std::vector<std::string>;

std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return joined.empty() ? "-" : joined;
}

std::string OrDash(const std::string& text) {
  return text.empty() ? "-" : text;
}

__attribute__((format(printf, 1, 2))) std::string Format(const char* format,
                                                         ...) {
  char text[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return text;
}

// "3 d 4 h", "5 min 6 s", "7 s": the two largest units.
std::string Duration(uint64_t seconds) {
  constexpr struct {
    uint64_t seconds;
    const char* name;
  } kUnits[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
  for (size_t i = 0; i + 1 < std::size(kUnits); ++i) {
    if (seconds < kUnits[i].seconds) continue;
    return Format("%" PRIu64 " %s %" PRIu64 " %s", seconds / kUnits[i].seconds,
                  kUnits[i].name,
                  seconds % kUnits[i].seconds / kUnits[i + 1].seconds,
                  kUnits[i + 1].name);
  }
  return Format("%" PRIu64 " s", seconds);
}

std::string Bytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return Format("%" PRIu64 " B", bytes);
  double scaled = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (scaled >= 1024 && unit + 1 < std::size(kUnits)) {
    scaled /= 1024;
    ++unit;
  }
  return Format("%.1f %s", scaled, kUnits[unit]);
}

std::string Traffic(uint64_t packets, uint64_t bytes) {
  return Format("%" PRIu64 " packets, ", packets) + Bytes(bytes);
}

// "20 Mbit/s", "1500 kbit/s": the largest unit that leaves a whole number.
std::string BitRate(uint64_t bits_per_s) {
  constexpr const char* kUnits[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  size_t unit = 0;
  while (bits_per_s % 1000 == 0 && unit + 1 < std::size(kUnits)) {
    bits_per_s /= 1000;
    ++unit;
  }
  return Format("%" PRIu64 " %s", bits_per_s, kUnits[unit]);
}

// Columns as wide as their widest cell; the last one is not padded.
void AddTable(const std::vector<Row>& rows, std::string& out) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  for (const Row& row : rows) {
    out += "  ";
    for (size_t i = 0; i < row.size(); ++i) {
      out += Printable(row[i]);
      if (i + 1 == row.size()) break;
      out.append(widths[i] - row[i].size() + 2, ' ');
    }
    out += '\n';
  }
}

void AddHead(const Status& status, std::string& out) {
  out += "lightweight-tunnel " + status.version + ", " + status.mode +
         ", pid " + std::to_string(status.pid) + ", up " +
         Duration(status.reading.uptime_s) + "\n";
  const UplinkStatus& uplink = status.uplink;
  std::vector<Row> rows;
  if (status.encryption == "none") {
    rows.push_back({"encryption", "NONE: anyone may join this tunnel"});
  } else {
    rows.push_back({"encryption", status.encryption});
  }
  rows.push_back({"public key", OrDash(status.public_key)});
  rows.push_back({"uplink", uplink.device + ", " + uplink.driver + ", MTU " +
                                std::to_string(uplink.reading.link_mtu) +
                                (uplink.up ? ", up" : ", DOWN") + ", seen as " +
                                uplink.persona});
  if (!uplink.reason.empty()) rows.push_back({"", uplink.reason});
  rows.push_back({"tunnel", status.tunnel.device + ", " + status.tunnel.driver +
                                ", MTU " +
                                std::to_string(status.tunnel.reading.mtu) +
                                ", " + Join(status.tunnel.addresses)});
  if (!status.tunnel.reason.empty()) {
    rows.push_back({"", status.tunnel.reason});
  }
  if (const LanStatus& lan = status.lan; !lan.device.empty()) {
    rows.push_back({"LAN", lan.device + ", " + lan.driver + ", " +
                               Join(lan.addresses) +
                               (lan.up ? ", up" : ", DOWN")});
    rows.push_back({"", lan.reason});
  }
  if (!status.nat.name.empty()) rows.push_back({"NAT", status.nat.reason});
  rows.push_back({"memory", OrDash(status.memory_mode)});
  for (const std::string& key : status.banned) rows.push_back({"banned", key});
  AddTable(rows, out);
}

// "20 Mbit/s to it, 5 Mbit/s from it"; empty where neither has a limit.
std::string Limits(const PeerReading& now) {
  std::string limits;
  const auto add = [&limits](uint64_t rate, const char* where) {
    if (rate == 0 || rate == kNoValue) return;
    limits += (limits.empty() ? "" : ", ") + BitRate(rate) + where;
  };
  add(now.rate, " to it");
  add(now.rate_in, " from it");
  return limits;
}

// Whose they are by `ours`, in a state.
std::string NetworksOf(const PeerStatus& peer, bool ours,
                       std::string_view state) {
  std::vector<std::string> networks;
  for (const RouteStatus& route : peer.routes) {
    if (route.ours == ours && route.state == state) {
      networks.push_back(route.network);
    }
  }
  return networks.empty() ? std::string() : Join(networks);
}

void AddRoutes(const PeerStatus& peer, std::vector<Row>& rows) {
  const std::string behind = NetworksOf(peer, false, "accepted");
  if (!behind.empty()) rows.push_back({"behind it", behind});
  const std::string ours = NetworksOf(peer, true, "accepted");
  if (!ours.empty()) rows.push_back({"it accepted", ours});
  for (const RouteStatus& route : peer.routes) {
    if (route.state != "refused") continue;
    rows.push_back(
        {"refused",
         route.network + (route.ours ? " by it: " : " here: ") + route.reason});
  }
}

// "office, 10.0.0.2"
std::string WhoIs(const PeerStatus& peer) {
  const std::string addresses = Printable(Join(peer.tunnel_addresses));
  return peer.name.empty() ? addresses : peer.name + ", " + addresses;
}

std::string RoundTrip(const PeerReading& now) {
  return now.rtt_us == kNoValue
             ? "-"
             : Format("%.3f ms", static_cast<double>(now.rtt_us) / 1000);
}

void AddPeer(const PeerStatus& peer, std::string& out) {
  out += "\npeer " + WhoIs(peer) + ": " + Printable(peer.state) + "\n";
  const PeerReading& now = peer.reading;
  const LaneReading& totals = peer.totals;
  std::vector<Row> rows;
  if (!peer.reason.empty()) rows.push_back({"reason", peer.reason});
  rows.push_back({"public key", OrDash(peer.public_key)});
  rows.push_back({"endpoint", OrDash(peer.endpoint)});
  if (!peer.hub.empty()) rows.push_back({"hub", peer.hub});
  if (!peer.hub_reason.empty()) rows.push_back({"not", peer.hub_reason});
  rows.push_back({"path", peer.path + ", lanes " + std::to_string(now.lanes) +
                              ", MTU " + std::to_string(now.mtu)});
  const std::string limits = Limits(now);
  if (!limits.empty()) rows.push_back({"at most", limits});
  rows.push_back({"round trip", RoundTrip(now)});
  rows.push_back({"last handshake", now.last_handshake_s == kNoValue
                                        ? "-"
                                        : Duration(now.last_handshake_s) +
                                              " ago, key epoch " +
                                              std::to_string(now.epoch)});
  rows.push_back({"last heard", now.last_heard_s == kNoValue
                                    ? "-"
                                    : Duration(now.last_heard_s) + " ago"});
  rows.push_back({"received", Traffic(totals.rx_packets, totals.rx_bytes)});
  rows.push_back({"sent", Traffic(totals.tx_packets, totals.tx_bytes)});
  rows.push_back(
      {"records", std::to_string(totals.records_opened) + " opened, " +
                      std::to_string(totals.records_lost) + " lost, " +
                      std::to_string(totals.records_sealed) + " sealed, " +
                      std::to_string(totals.retransmitted_segments) +
                      " segments sent again"});
  AddRoutes(peer, rows);
  AddTable(rows, out);
}

void AddWorkers(const std::vector<WorkerStatus>& workers, std::string& out) {
  if (workers.empty()) return;
  out += "\nworkers\n";
  std::vector<Row> rows = {{"cpus", "busy", "sleeps", "uplink in", "uplink out",
                            "tunnel in", "tunnel out"}};
  for (const WorkerStatus& worker : workers) {
    const WorkerReading& reading = worker.reading;
    double all = static_cast<double>(reading.busy_cycles) +
                 static_cast<double>(reading.idle_cycles);
    double busy =
        all == 0 ? 0 : 100 * static_cast<double>(reading.busy_cycles) / all;
    rows.push_back({worker.cpus, Format("%.1f %%", busy),
                    std::to_string(reading.sleeps),
                    std::to_string(reading.uplink_rx_frames),
                    std::to_string(reading.uplink_tx_frames),
                    std::to_string(reading.tunnel_rx_packets),
                    std::to_string(reading.tunnel_tx_packets)});
  }
  AddTable(rows, out);
}

void AddDrops(const Readings& drops, std::string& out) {
  std::vector<Row> rows;
  for (size_t i = 0; i < drops.values.size(); ++i) {
    if (drops.values[i] == 0) continue;
    const Metric& metric = drops.metrics[i];
    rows.push_back({std::string(metric.name), std::to_string(drops.values[i]),
                    std::string(metric.help)});
  }
  out += rows.empty() ? "\ndrops: none\n" : "\ndrops\n";
  AddTable(rows, out);
}

void AddCounters(const std::vector<CounterGroup>& groups, std::string& out) {
  std::vector<Row> rows;
  for (const CounterGroup& group : groups) {
    for (size_t i = 0; i < group.readings.values.size(); ++i) {
      if (group.readings.values[i] == 0) continue;
      rows.push_back({NameIn(group, group.readings.metrics[i]),
                      std::to_string(group.readings.values[i])});
    }
  }
  if (rows.empty()) return;
  out += "\ncounters\n";
  AddTable(rows, out);
}

void AddPools(const std::vector<PoolStatus>& pools, std::string& out) {
  if (pools.empty()) return;
  out += "\nbuffers\n";
  std::vector<Row> rows;
  for (const PoolStatus& pool : pools) {
    rows.push_back({pool.name, std::to_string(pool.reading.in_use) + " of " +
                                   std::to_string(pool.reading.buffers) +
                                   " in use"});
  }
  AddTable(rows, out);
}

std::string Spoken(uint32_t protocol,
                   const std::vector<std::string>& features) {
  return "protocol " + std::to_string(protocol) +
         ", features: " + Printable(Join(features));
}

std::string Loss(const LaneReading& totals) {
  const double all = static_cast<double>(totals.records_opened) +
                     static_cast<double>(totals.records_lost);
  if (all == 0) return "-";
  return Format("%.2f %%",
                100 * static_cast<double>(totals.records_lost) / all);
}

// "10:3", data shards and parities of what is sent.
std::string Code(const LaneReading& totals) {
  if (totals.fec_tx_data == 0) return "-";
  return std::to_string(totals.fec_tx_data) + ":" +
         std::to_string(totals.fec_tx_parity);
}

// A name, at a client the hub, or what there is of the key.
std::string NameInTable(const PeerStatus& peer) {
  if (!peer.name.empty()) return peer.name;
  return peer.hub.empty() ? OrDash(peer.public_key) : peer.hub;
}

Row PeerRow(const PeerStatus& peer) {
  const PeerReading& now = peer.reading;
  return {
      NameInTable(peer),
      Join(peer.tunnel_addresses),
      OrDash(peer.path),
      peer.state,
      now.last_heard_s == kNoValue ? "-" : Duration(now.last_heard_s) + " ago",
      RoundTrip(now),
      Loss(peer.totals),
      Code(peer.totals),
      Bytes(peer.totals.rx_bytes),
      Bytes(peer.totals.tx_bytes),
      Join(NetworksBehind(peer))};
}

}  // namespace

std::string ToVersions(const Status& status) {
  std::string out = Printable(status.version) + "\n" +
                    Spoken(status.protocol, status.features) + "\n";
  for (const PeerStatus& peer : status.peers) {
    out += "peer " + WhoIs(peer) + ": ";
    if (peer.protocol == 0) {
      out += Printable(peer.state) + "\n";
      continue;
    }
    out += peer.version.empty() ? "does not say its version"
                                : Printable(peer.version);
    out += ", " + Spoken(peer.protocol, peer.features) + "\n";
  }
  return out;
}

std::string ToTable(const Status& status) {
  std::string out;
  AddHead(status, out);
  if (status.peers.empty()) out += "\npeers: none\n";
  for (const PeerStatus& peer : status.peers) AddPeer(peer, out);
  AddWorkers(status.workers, out);
  AddDrops(status.drops, out);
  AddCounters(status.counters, out);
  AddPools(status.pools, out);
  return out;
}

std::string PeersToTable(const Status& status) {
  std::vector<Row> rows = {{"name", "address", "path", "state", "heard",
                            "round trip", "loss", "code", "received", "sent",
                            "networks"}};
  for (const PeerStatus& peer : status.peers) rows.push_back(PeerRow(peer));
  for (const PeerStatus& peer : status.away) rows.push_back(PeerRow(peer));
  if (rows.size() == 1) return "no peers\n";
  std::string out;
  AddTable(rows, out);
  if (status.away_left_out > 0) {
    out += "  and " + std::to_string(status.away_left_out) +
           " more that are away\n";
  }
  return out;
}

std::string RoutesToTable(const Status& status) {
  std::vector<Row> rows = {{"network", "behind", "state", "reason"}};
  for (const PeerStatus& peer : status.peers) {
    const std::string name = peer.path == "hub" ? "hub" : WhoIs(peer);
    for (const RouteStatus& route : peer.routes) {
      const std::string by = route.ours ? " by " + name : "";
      rows.push_back({route.network, route.ours ? "us" : name,
                      route.state == "sent" ? "no answer" : route.state + by,
                      OrDash(route.reason)});
    }
  }
  for (const HeldRouteStatus& held : status.held_routes) {
    rows.push_back({held.network, held.public_key, "held, it is away", "-"});
  }
  if (rows.size() == 1) return "no networks behind peers or behind us\n";
  std::string out;
  AddTable(rows, out);
  return out;
}

}  // namespace lwt::telemetry
