#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "control/api/printable.h"
#include "control/api/status.h"
#include "dataplane/drop_reason.h"

namespace lwt::api {
namespace {

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
         Duration(status.uptime_s) + "\n";
  const UplinkStatus& uplink = status.uplink;
  std::vector<Row> rows;
  if (status.encryption == "none") {
    rows.push_back({"encryption", "NONE: anyone may join this tunnel"});
  } else {
    rows.push_back({"encryption", status.encryption});
  }
  rows.push_back({"public key", OrDash(status.public_key)});
  rows.push_back({"uplink", uplink.device + ", " + uplink.driver + ", MTU " +
                                std::to_string(uplink.link_mtu) +
                                (uplink.up ? ", up" : ", DOWN") + ", seen as " +
                                uplink.persona});
  if (!uplink.reason.empty()) rows.push_back({"", uplink.reason});
  rows.push_back({"tunnel", status.tunnel.device + ", " + status.tunnel.driver +
                                ", MTU " + std::to_string(status.tunnel.mtu) +
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
  rows.push_back({"memory", OrDash(status.memory_mode)});
  for (const std::string& key : status.banned) rows.push_back({"banned", key});
  AddTable(rows, out);
}

void AddPeer(const PeerStatus& peer, std::string& out) {
  out += "\npeer " + Printable(Join(peer.tunnel_addresses)) + ": " +
         Printable(peer.state) + "\n";
  std::vector<Row> rows;
  if (!peer.reason.empty()) rows.push_back({"reason", peer.reason});
  rows.push_back({"public key", OrDash(peer.public_key)});
  rows.push_back({"endpoint", OrDash(peer.endpoint)});
  rows.push_back({"path", peer.path + ", lanes " + std::to_string(peer.lanes) +
                              ", MTU " + std::to_string(peer.mtu)});
  rows.push_back(
      {"round trip",
       peer.rtt_us ? Format("%.3f ms", static_cast<double>(*peer.rtt_us) / 1000)
                   : "-"});
  rows.push_back({"last handshake", peer.last_handshake_s
                                        ? Duration(*peer.last_handshake_s) +
                                              " ago, key epoch " +
                                              std::to_string(peer.epoch)
                                        : "-"});
  rows.push_back({"received", Traffic(peer.rx_packets, peer.rx_bytes)});
  rows.push_back({"sent", Traffic(peer.tx_packets, peer.tx_bytes)});
  rows.push_back({"records", std::to_string(peer.records_opened) + " opened, " +
                                 std::to_string(peer.records_lost) + " lost, " +
                                 std::to_string(peer.records_sealed) +
                                 " sealed, " +
                                 std::to_string(peer.retransmitted_segments) +
                                 " segments sent again"});
  AddTable(rows, out);
}

void AddWorkers(const std::vector<WorkerStatus>& workers, std::string& out) {
  if (workers.empty()) return;
  out += "\nworkers\n";
  std::vector<Row> rows = {{"cpus", "busy", "sleeps", "uplink in", "uplink out",
                            "tunnel in", "tunnel out"}};
  for (const WorkerStatus& worker : workers) {
    double all = static_cast<double>(worker.busy_cycles) +
                 static_cast<double>(worker.idle_cycles);
    double busy =
        all == 0 ? 0 : 100 * static_cast<double>(worker.busy_cycles) / all;
    rows.push_back(
        {worker.cpus, Format("%.1f %%", busy), std::to_string(worker.sleeps),
         std::to_string(worker.rx_frames), std::to_string(worker.tx_frames),
         std::to_string(worker.tun_rx_packets),
         std::to_string(worker.tun_tx_packets)});
  }
  AddTable(rows, out);
}

std::string SentenceFor(std::string_view name) {
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    auto reason = static_cast<DropReason>(i);
    if (NameOf(reason) == name) return std::string(SentenceOf(reason));
  }
  return "";
}

void AddDrops(const std::vector<NamedCount>& drops, std::string& out) {
  std::vector<Row> rows;
  for (const NamedCount& drop : drops) {
    if (drop.count == 0) continue;
    rows.push_back(
        {drop.name, std::to_string(drop.count), SentenceFor(drop.name)});
  }
  out += rows.empty() ? "\ndrops: none\n" : "\ndrops\n";
  AddTable(rows, out);
}

void AddCounters(const std::vector<NamedCount>& counters, std::string& out) {
  std::vector<Row> rows;
  for (const NamedCount& counter : counters) {
    if (counter.count == 0) continue;
    rows.push_back({counter.name, std::to_string(counter.count)});
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
    rows.push_back({pool.name, std::to_string(pool.in_use) + " of " +
                                   std::to_string(pool.buffers) + " in use"});
  }
  AddTable(rows, out);
}

}  // namespace

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

}  // namespace lwt::api
