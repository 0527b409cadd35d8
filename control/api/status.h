// What a gateway says of itself: filled by the control thread for one request,
// then printed as JSON for programs or as tables for people. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lwt::api {

struct UplinkStatus {
  std::string driver;     // "af_packet", "af_xdp"
  std::string device;     // "eth0"
  std::string reason;     // why this driver and device, or why it is down
  uint32_t link_mtu = 0;  // bytes
  bool up = false;
  bool super_frames = false;  // runs of segments leave as one
  std::string persona;        // "linux-6.18"
};

struct TunnelStatus {
  std::string device;                  // "lwt0"
  std::string driver;                  // "tun", "net_tap"
  std::string reason;                  // why this driver
  uint32_t mtu = 0;                    // bytes
  std::vector<std::string> addresses;  // "10.0.0.1/24"
};

// Without a LAN port its device is empty.
struct LanStatus {
  std::string device;  // "eth1"
  std::string driver;  // "af_packet", "net_memif"
  std::string reason;
  bool up = false;
  std::vector<std::string> addresses;
  uint64_t neighbours = 0;  // hosts whose link-layer address is known
};

// An outer flow of a session.
struct LaneStatus {
  uint32_t slot = 0;    // its place among those that are sent on
  uint32_t worker = 0;  // that has it
  std::string local;    // "192.0.2.7:40000"
  std::string remote;
  bool sending = false;  // else it only receives, or is in doubt
  uint64_t srtt_us = 0;
  uint64_t rx_packets = 0;  // inner packets
  uint64_t tx_packets = 0;
  uint64_t retransmitted_segments = 0;
  uint64_t fec_tx_data = 0;  // k and m that we send with, 0 without FEC
  uint64_t fec_tx_parity = 0;
};

struct NamedCount {
  std::string name;
  uint64_t count = 0;
};

struct PeerStatus {
  std::vector<std::string> tunnel_addresses;
  std::string public_key;  // base64, 44 characters
  std::string endpoint;    // "192.0.2.1:9000"
  std::string state;       // "connecting", "up", "suspect", "down"
  std::string path;        // seen from here the other is "hub" or "client"
  std::string reason;      // why it is not up; empty when it is
  std::optional<uint64_t> rtt_us;
  std::optional<uint64_t> last_handshake_s;  // seconds ago
  uint64_t rx_packets = 0;                   // inner packets and bytes
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;
  uint32_t mtu = 0;  // of the session, inside
  uint32_t lanes = 0;
  std::vector<LaneStatus> lane_list;
  uint32_t epoch = 0;      // the one we seal with
  uint64_t rx_epochs = 0;  // epochs installed so far
  uint64_t tx_epochs = 0;
  uint64_t records_sealed = 0;
  uint64_t records_opened = 0;
  uint64_t records_lost = 0;  // that did not come in their turn
  uint64_t retransmitted_segments = 0;
  std::vector<NamedCount> fec;
};

struct WorkerStatus {
  std::string cpus;  // where it may run: "3", "0-1"
  uint64_t busy_cycles = 0;
  uint64_t idle_cycles = 0;
  uint64_t sleeps = 0;
  uint64_t rx_frames = 0;  // uplink
  uint64_t tx_frames = 0;
  uint64_t tun_rx_packets = 0;  // read from the tunnel device
  uint64_t tun_tx_packets = 0;
};

struct PoolStatus {
  std::string name;
  uint64_t buffers = 0;
  uint64_t in_use = 0;
};

struct Status {
  std::string version;
  std::string mode;  // "server", "client"
  uint64_t uptime_s = 0;
  uint32_t pid = 0;
  std::string encryption;  // "aes-256-gcm", "none"
  std::string public_key;  // our own
  UplinkStatus uplink;
  TunnelStatus tunnel;
  LanStatus lan;
  std::vector<PeerStatus> peers;
  std::vector<std::string> banned;  // keys; of a server
  std::vector<WorkerStatus> workers;
  std::vector<NamedCount> drops;  // names of dataplane/drop_reason.h, all
  std::vector<NamedCount> counters;
  std::string memory_mode;  // "hugepages", "no-huge"
  std::vector<PoolStatus> pools;
};

// One JSON object and a line feed.
std::string ToJson(const Status& status);

// Aligned lines for people. Drops that are zero are left out; the others carry
// the sentence of their reason.
std::string ToTable(const Status& status);

}  // namespace lwt::api
