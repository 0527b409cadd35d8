#include "control/telemetry/printer.h"

#include <algorithm>

#include "drivers/check.h"

namespace lwt::telemetry {
namespace {

void PutNumbers(Printer& printer, const Readings& readings, size_t begin = 0,
                size_t end = SIZE_MAX) {
  for (size_t i = begin; i < std::min(end, readings.values.size()); ++i) {
    const Metric& metric = readings.metrics[i];
    printer.Number(metric.name, metric, readings.values[i]);
  }
}

// A number under a second name, which programs read before all came of lists.
void PutAlias(Printer& printer, std::string_view name, const Readings& readings,
              std::string_view metric) {
  size_t at = 0;
  while (readings.metrics[at].name != metric) {
    ++at;
    LWT_CHECK(at < readings.metrics.size(), "an alias of no metric");
  }
  printer.Number(name, readings.metrics[at], readings.values[at]);
}

void PutUplink(Printer& printer, const UplinkStatus& uplink) {
  printer.BeginObject("uplink");
  printer.Text("driver", uplink.driver);
  printer.Text("device", uplink.device);
  printer.Text("reason", uplink.reason);
  PutNumbers(printer, uplink.reading.All());
  printer.Flag("up", uplink.up);
  printer.Flag("super_frames", uplink.super_frames);
  printer.Text("persona", uplink.persona);
  printer.EndObject();
}

void PutTunnel(Printer& printer, const TunnelStatus& tunnel) {
  printer.BeginObject("tunnel");
  printer.Text("device", tunnel.device);
  printer.Text("driver", tunnel.driver);
  printer.Text("reason", tunnel.reason);
  PutNumbers(printer, tunnel.reading.All());
  printer.Texts("addresses", tunnel.addresses);
  printer.EndObject();
}

void PutLan(Printer& printer, const LanStatus& lan) {
  printer.BeginObject("lan");
  printer.Text("device", lan.device);
  printer.Text("driver", lan.driver);
  printer.Text("reason", lan.reason);
  printer.Flag("up", lan.up);
  printer.Texts("addresses", lan.addresses);
  PutNumbers(printer, lan.reading.All());
  printer.EndObject();
}

void PutNat(Printer& printer, const NatStatus& nat) {
  printer.BeginObject("nat");
  printer.Text("name", nat.name);
  printer.Text("mapping", nat.mapping);
  printer.Text("filtering", nat.filtering);
  printer.Text("outside", nat.outside);
  printer.Text("reason", nat.reason);
  printer.EndObject();
}

void PutLane(Printer& printer, const LaneStatus& lane) {
  printer.BeginObject({});
  printer.Id("slot", lane.slot);
  printer.Id("worker", lane.worker);
  printer.Text("local", lane.local);
  printer.Text("remote", lane.remote);
  printer.Flag("sending", lane.sending);
  PutNumbers(printer, lane.reading.All());
  printer.EndObject();
}

void PutRoutes(Printer& printer, const PeerStatus& peer) {
  printer.BeginList("routes");
  for (const RouteStatus& route : peer.routes) {
    printer.BeginObject({});
    printer.Text("network", route.network);
    printer.Text("of", route.ours ? "us" : "peer");
    printer.Text("state", route.state);
    printer.Id("code", route.code);
    printer.Text("reason", route.reason);
    printer.EndObject();
  }
  printer.EndList();
}

void PutHeldRoutes(Printer& printer, const Status& status) {
  printer.BeginList("held_routes");
  for (const HeldRouteStatus& held : status.held_routes) {
    printer.BeginObject({});
    printer.Text("network", held.network);
    printer.Text("public_key", held.public_key);
    printer.EndObject();
  }
  printer.EndList();
}

void PutPeer(Printer& printer, const PeerStatus& peer) {
  printer.BeginObject({});
  printer.Texts("tunnel_addresses", peer.tunnel_addresses);
  printer.Text("public_key", peer.public_key);
  printer.Text("name", peer.name);
  printer.Text("endpoint", peer.endpoint);
  printer.Text("state", peer.state);
  printer.Text("path", peer.path);
  if (!peer.hub.empty()) {
    printer.Text("hub", peer.hub);
    printer.Text("hub_reason", peer.hub_reason);
  }
  printer.Text("reason", peer.reason);
  printer.Text("version", peer.version);
  printer.Id("protocol", peer.protocol);
  printer.Texts("features", peer.features);
  PutNumbers(printer, peer.reading.All());
  const Readings totals = peer.totals.All();
  PutNumbers(printer, totals, 0, kTrafficMetrics);
  PutAlias(printer, "records_lost", totals, "records_lost");
  printer.BeginObject("fec");
  PutNumbers(printer, totals, kTrafficMetrics);
  printer.EndObject();
  printer.BeginList("lane_list");
  for (const LaneStatus& lane : peer.lane_list) PutLane(printer, lane);
  printer.EndList();
  PutRoutes(printer, peer);
  printer.EndObject();
}

void PutWorker(Printer& printer, const WorkerStatus& worker) {
  const Readings readings = worker.reading.All();
  printer.BeginObject({});
  printer.Text("cpus", worker.cpus);
  PutNumbers(printer, readings);
  PutAlias(printer, "rx_frames", readings, "uplink_rx_frames");
  PutAlias(printer, "tx_frames", readings, "uplink_tx_frames");
  PutAlias(printer, "tun_rx_packets", readings, "tunnel_rx_packets");
  PutAlias(printer, "tun_tx_packets", readings, "tunnel_tx_packets");
  printer.EndObject();
}

void PutCounters(Printer& printer, const Status& status) {
  printer.BeginObject("drops");
  PutNumbers(printer, status.drops);
  printer.EndObject();
  printer.BeginObject("counters");
  for (const CounterGroup& group : status.counters) {
    for (size_t i = 0; i < group.readings.values.size(); ++i) {
      const Metric& metric = group.readings.metrics[i];
      printer.Number(NameIn(group, metric), metric, group.readings.values[i]);
    }
  }
  printer.EndObject();
}

void PutMemory(Printer& printer, const Status& status) {
  printer.BeginObject("memory");
  printer.Text("mode", status.memory_mode);
  printer.BeginList("pools");
  for (const PoolStatus& pool : status.pools) {
    printer.BeginObject({});
    printer.Text("name", pool.name);
    PutNumbers(printer, pool.reading.All());
    printer.EndObject();
  }
  printer.EndList();
  printer.EndObject();
}

// What of a peer a line of `lwtctl peers` tells.
void PutPeerLine(Printer& printer, const PeerStatus& peer) {
  printer.BeginObject({});
  printer.Text("name", peer.name);
  printer.Text("public_key", peer.public_key);
  printer.Texts("tunnel_addresses", peer.tunnel_addresses);
  printer.Texts("networks", NetworksBehind(peer));
  printer.Text("endpoint", peer.endpoint);
  printer.Text("hub", peer.hub);
  printer.Text("path", peer.path);
  printer.Text("state", peer.state);
  printer.Text("reason", peer.reason);
  printer.Text("version", peer.version);
  const Readings now = peer.reading.All();
  for (const char* name : {"rtt_us", "last_heard_s"}) {
    PutAlias(printer, name, now, name);
  }
  const Readings totals = peer.totals.All();
  for (const char* name :
       {"records_opened", "records_lost", "fec_tx_data", "fec_tx_parity",
        "rx_packets", "rx_bytes", "tx_packets", "tx_bytes"}) {
    PutAlias(printer, name, totals, name);
  }
  printer.EndObject();
}

}  // namespace

std::vector<std::string> NetworksBehind(const PeerStatus& peer) {
  std::vector<std::string> networks;
  for (const RouteStatus& route : peer.routes) {
    if (!route.ours && route.state != "refused") {
      networks.push_back(route.network);
    }
  }
  return networks;
}

void PrintPeers(const Status& status, Printer& printer) {
  printer.BeginObject({});
  printer.BeginList("peers");
  for (const PeerStatus& peer : status.peers) PutPeerLine(printer, peer);
  for (const PeerStatus& peer : status.away) PutPeerLine(printer, peer);
  printer.EndList();
  printer.EndObject();
}

void Print(const Status& status, Printer& printer) {
  printer.BeginObject({});
  printer.Text("version", status.version);
  printer.Id("protocol", status.protocol);
  printer.Texts("features", status.features);
  printer.Text("mode", status.mode);
  PutNumbers(printer, status.reading.All());
  printer.Id("pid", status.pid);
  printer.Text("encryption", status.encryption);
  printer.Text("public_key", status.public_key);
  PutUplink(printer, status.uplink);
  PutTunnel(printer, status.tunnel);
  if (!status.lan.device.empty()) PutLan(printer, status.lan);
  if (!status.nat.name.empty()) PutNat(printer, status.nat);
  printer.BeginList("peers");
  for (const PeerStatus& peer : status.peers) PutPeer(printer, peer);
  printer.EndList();
  printer.Texts("banned", status.banned);
  PutHeldRoutes(printer, status);
  printer.BeginList("workers");
  for (const WorkerStatus& worker : status.workers) PutWorker(printer, worker);
  printer.EndList();
  PutCounters(printer, status);
  PutMemory(printer, status);
  printer.EndObject();
}

void PrintRoutes(const Status& status, Printer& printer) {
  printer.BeginObject({});
  printer.BeginList("peers");
  for (const PeerStatus& peer : status.peers) {
    printer.BeginObject({});
    printer.Texts("tunnel_addresses", peer.tunnel_addresses);
    printer.Text("public_key", peer.public_key);
    printer.Text("name", peer.name);
    printer.Text("path", peer.path);
    PutRoutes(printer, peer);
    printer.EndObject();
  }
  printer.EndList();
  PutHeldRoutes(printer, status);
  printer.EndObject();
}

}  // namespace lwt::telemetry
