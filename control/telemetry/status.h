// What a gateway says of itself: filled by the control thread for one request,
// then given to a printer. Plain data: what it is, as text, and the numbers of
// the registry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/telemetry/registry.h"

namespace lwt::telemetry {

// Whole seconds; 0 for a time to come.
inline uint64_t SecondsSince(uint64_t then_us, uint64_t now_us) {
  return now_us > then_us ? (now_us - then_us) / 1'000'000 : 0;
}

struct UplinkStatus {
  std::string driver;  // "af_packet", "af_xdp"
  std::string device;  // "eth0"
  std::string reason;  // why this driver and device, or why it is down
  bool up = false;
  bool super_frames = false;  // runs of segments leave as one
  std::string persona;        // "linux-6.18"
  UplinkReading reading;
};

struct TunnelStatus {
  std::string device;                  // "lwt0"
  std::string driver;                  // "tun", "net_tap"
  std::string reason;                  // why this driver
  std::vector<std::string> addresses;  // "10.0.0.1/24"
  TunnelReading reading;
};

// How the NAT in front of a client treats it. Until it is known its name is
// empty.
struct NatStatus {
  std::string name;     // "none", "full cone", "symmetric", "firewall", ...
  std::string mapping;  // "endpoint-independent", ... or "unknown"
  std::string filtering;
  std::string outside;  // our address and port as the hub saw them, by UDP
  std::string reason;   // all of it in a line
};

// Without a LAN port its device is empty.
struct LanStatus {
  std::string device;  // "eth1"
  std::string driver;  // "af_packet", "net_memif"
  std::string reason;
  bool up = false;
  std::vector<std::string> addresses;
  LanReading reading;
};

// An outer flow of a session.
struct LaneStatus {
  uint32_t slot = 0;    // its place among those that are sent on
  uint32_t worker = 0;  // that has it
  std::string local;    // "192.0.2.7:40000"
  std::string remote;
  bool sending = false;  // else it only receives, or is in doubt
  LaneReading reading;
};

// A network that one end of a session announced to the other.
struct RouteStatus {
  std::string network;
  bool ours = false;   // announced by this side; else by the peer
  std::string state;   // "accepted", "refused"; "sent": no answer yet
  uint32_t code = 0;   // of a refusal
  std::string reason;  // its words
};
// One that is held for a key whose client is away.
struct HeldRouteStatus {
  std::string network;
  std::string public_key;
};

struct PeerStatus {
  std::string name;  // that an entry [[peer]] gives it; may be empty
  std::vector<std::string> tunnel_addresses;
  std::string public_key;  // base64, 44 characters
  std::string endpoint;    // "192.0.2.1:9000"
  std::string state;       // "connecting", "up", "suspect", "down"
  std::string path;        // seen from here the other is "hub" or "client"
  std::string hub;         // at a client: which of its hubs, "vpn.example:9000"
  std::string hub_reason;  // ... and why not one before it, if it has several
  std::string reason;      // why it is not up, or what else is wrong with it
  std::string version;     // as it says; empty when it does not
  uint32_t protocol = 0;   // of the session; 0 without one
  std::vector<std::string> features;  // that it names
  PeerReading reading{.rtt_us = kNoValue,
                      .last_handshake_s = kNoValue,
                      .last_heard_s = kNoValue,
                      .rate = kNoValue,
                      .rate_in = kNoValue};
  LaneReading totals;  // of its lanes, and of those it had
  std::vector<LaneStatus> lane_list;
  std::vector<RouteStatus> routes;
};

// Those that it has, or that are kept for it.
std::vector<std::string> NetworksBehind(const PeerStatus& peer);

struct WorkerStatus {
  std::string cpus;  // where it may run: "3", "0-1"
  WorkerReading reading;
};

struct PoolStatus {
  std::string name;
  PoolReading reading;
};

// Numbers of one source; where `source` is not empty it stands, with a line
// below, before their names: "uplink" makes uplink_rx_missed.
struct CounterGroup {
  std::string source;
  Readings readings;
};
inline std::string NameIn(const CounterGroup& group, const Metric& metric) {
  return group.source.empty() ? std::string(metric.name)
                              : group.source + "_" + std::string(metric.name);
}

struct Status {
  std::string version;
  uint32_t protocol = 0;              // our own
  std::vector<std::string> features;  // our own, by name
  std::string mode;                   // "server", "client"
  uint32_t pid = 0;
  std::string encryption;  // "aes-256-gcm", "none"
  std::string public_key;  // our own
  GatewayReading reading;
  UplinkStatus uplink;
  TunnelStatus tunnel;
  LanStatus lan;
  NatStatus nat;
  std::vector<PeerStatus> peers;
  // Of a hub, where `wants_away` was set before it was filled in: clients that
  // are not here, but have an entry [[peer]] ("offline") or hold an address or
  // a network ("held"). At most kMaxAway of them.
  static constexpr size_t kMaxAway = 10'000;
  bool wants_away = false;
  std::vector<PeerStatus> away;
  size_t away_left_out = 0;
  std::vector<std::string> banned;           // keys; of a hub
  std::vector<HeldRouteStatus> held_routes;  // the same
  std::vector<WorkerStatus> workers;
  Readings drops;  // of all workers together
  std::vector<CounterGroup> counters;
  std::string memory_mode;  // "hugepages", "no-huge"
  std::vector<PoolStatus> pools;
};

// One JSON object and a line feed.
std::string ToJson(const Status& status);

// What `lwtctl version` prints: our version on a line of its own, then protocol
// and features, and the same of each peer.
std::string ToVersions(const Status& status);

// A line a peer, those that are away too.
std::string PeersToJson(const Status& status);
std::string PeersToTable(const Status& status);

// Of that what concerns networks behind peers and behind us.
std::string RoutesToJson(const Status& status);
std::string RoutesToTable(const Status& status);

// Aligned lines for people. Drops and counters that are zero are left out;
// drops carry their sentence.
std::string ToTable(const Status& status);

}  // namespace lwt::telemetry
