// A status as Prometheus reads it, in its text format 0.0.4: every number of
// the registry, by the name that MetricsName makes of it, and every state.
//
// Of more than kMaxPeers peers there are no series of each, but of all together
// without the label `peer`: of counters the sum, of gauges the largest.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/telemetry/status.h"

namespace lwt::telemetry {

// "lwt_peer_rtt_seconds" of rtt_us, "lwt_peer_rx_bytes_total" of the counter
// rx_bytes, where `prefix` is "lwt_peer".
std::string MetricsName(std::string_view prefix, const Metric& metric);

// What it says beside the registry.
struct StateMetric {
  std::string_view name;
  std::string_view labels;  // "peer, state"
  std::string_view help;
};
inline constexpr StateMetric kStateMetrics[] = {
    {"lwt_build_info", "version, mode, protocol, encryption",
     "1; its labels say what runs."},
    {"lwt_uplink_up", "device, driver", "Whether the uplink carries frames."},
    {"lwt_lan_up", "device, driver", "Whether the LAN port carries frames."},
    {"lwt_nat_info", "name, mapping, filtering",
     "1; its labels say how the NAT in front treats a client."},
    {"lwt_peers", "state", "Peers in each state."},
    {"lwt_peer_up", "peer", "Whether the peer's state is up."},
    {"lwt_peer_state", "peer, state", "1 for the state that the peer is in."},
    {"lwt_peer_info", "peer, path, addresses, version",
     "1; its labels say who the peer is."},
    {"lwt_routes", "of, state",
     "Networks that peers or this side announced, by what became of them."},
    {"lwt_held_routes", "", "Networks held for keys whose clients are away."},
    {"lwt_banned_keys", "", "Keys that are kept out."},
    {"lwt_drops_total", "reason",
     "Frames and packets that were not passed on, by reason."},
};

class MetricsWriter {
 public:
  static constexpr size_t kMaxPeers = 1000;
  static constexpr char kContentType[] =
      "text/plain; version=0.0.4; charset=utf-8";

  std::string Write(const Status& status);

 private:
  using Values = std::vector<uint64_t>;

  // Adds what each peer has counted since it was last seen, so that the sum
  // does not fall with a peer that goes.
  void AddUp(const std::map<std::string, Readings>& peers);

  Values sum_;
  std::map<std::string, Values> seen_;  // by peer
};

}  // namespace lwt::telemetry
