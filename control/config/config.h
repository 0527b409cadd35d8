// The settings of one gateway, typed and checked: what the command line and
// the TOML file come to. Plain data, made once at start on the control thread.
#pragma once

#include <sodium.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/log_level.h"
#include "dataplane/fec/policy.h"
#include "drivers/ip_endpoint.h"
#include "drivers/memory_mode.h"

namespace lwt::config {

// RFC 791: every IPv4 host takes packets of that size; RFC 8200 section 5:
// every IPv6 link carries them.
inline constexpr uint16_t kLeastMtuIpv4 = 576;
inline constexpr uint16_t kLeastMtuIpv6 = 1280;

using lwt::LogLevel;

enum class Mode : uint8_t { kUnset, kServer, kClient };
enum class Encryption : uint8_t { kAes256Gcm, kNone };
enum class UplinkDriver : uint8_t { kAuto, kAfPacket, kAfXdp };
enum class TunnelPort : uint8_t { kAuto, kOffload, kTap };
enum class PersonaChoice : uint8_t { kAuto, kLinux61, kLinux618 };
enum class Multicast : uint8_t { kOff, kHub };
enum class Idle : uint8_t { kAdaptive, kBusy };
enum class Pinning : uint8_t { kAuto, kOn, kOff };
// Whose questions about their NAT a hub answers.
enum class Stun : uint8_t { kOff, kClients, kOpen };
enum class WhenDown : uint8_t { kKeep, kRelease };

// Where a client finds its hub. `host` is an address or a name; a name is
// resolved at every connect, so it is kept as text. No brackets around IPv6.
struct HostPort {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

// "eth1" or "memif:/run/lan.sock": at most one of the two is not empty.
struct LanPort {
  std::string interface;
  std::string memif_socket;
  bool configured() const {
    return !interface.empty() || !memif_socket.empty();
  }
};

// An entry [[hub]]: a hub that a client may use, by its key alone.
struct HubEntry {
  HostPort address;
  std::string public_key;  // base64, 44 characters
};

// Where a hub listens that is not told.
inline constexpr uint16_t kUsualPort = 9000;

// More of them would make a round of a client's last for minutes.
inline constexpr size_t kMaxHubEntries = 8;

// What of a peer's announcements is taken: one of the words, or a network and
// all within it.
struct Acceptance {
  enum class What : uint8_t { kPrivate, kOff, kAll, kNetwork };
  What what = What::kPrivate;
  IpPrefix network;  // of kNetwork
  friend bool operator==(const Acceptance&, const Acceptance&) = default;
};

// "auto", "off" or "K:M".
struct FecChoice {
  fec::Mode mode = fec::Mode::kAuto;
  fec::Parameters fixed;
};

// Of "50M"; 0: no limit.
struct BitRate {
  uint64_t bits_per_s = 0;
  uint64_t bytes_per_s() const { return bits_per_s / 8; }
};

// An entry [[peer]]: what a hub knows of a client.
struct PeerEntry {
  std::string public_key = {};             // base64, 44 characters
  std::vector<IpPrefix> allowed_ips = {};  // networks behind it
  std::string name = {};                   // what it is called
  std::vector<IpAddress> addresses = {};   // in the tunnel, its alone
  bool isolated = false;                   // from all other clients
  // In place of what is set for all; empty: that.
  std::optional<FecChoice> fec = {};
  std::optional<BitRate> rate = {};     // to it
  std::optional<BitRate> rate_in = {};  // from it
};

// The parts of Config, each for the component that takes it.

// The tunnel device and this side's place in the tunnel.
struct TunnelConfig {
  std::vector<IpPrefix> addresses;  // at most one IPv4 and one IPv6
  bool leased = false;              // by the hub, in their place
  uint16_t mtu = 0;                 // bytes inside the tunnel; 0 = automatic
  std::string device = "lwt0";
  TunnelPort port = TunnelPort::kAuto;
  Multicast multicast = Multicast::kOff;
};

// What the psk is derived from.
struct KeyConfig {
  // The shared key, from `key` or from the file that `key_file` names; empty
  // only with Encryption::kNone. Erase it once the psk is derived.
  std::string text;
  std::string file;
  bool is_credential = false;  // the service manager guards `file`
  bool regular_only = false;   // `file` is refused where it is, say, a pipe
  // The text was given on the command line and is kept no more; what was
  // derived from it at the start stands for it.
  bool held = false;
  uint32_t grace_s = 7 * 86'400;  // that one before is taken
  std::string network = "default";
  Encryption encryption = Encryption::kAes256Gcm;

  ~KeyConfig() { Erase(); }

  uint64_t grace_us() const { return uint64_t{grace_s} * 1'000'000; }
  void Erase() {
    sodium_memzero(text.data(), text.size());
    text.clear();
  }
};

// Whom a hub lets in, and where.
struct HubConfig {
  std::vector<Endpoint> local;  // where it listens; Finish sets one
  bool multi_client = true;
  uint32_t max_clients = 100;
  std::optional<HostPort> fallback;  // whom strangers meet
  Stun stun = Stun::kClients;
  uint32_t push_interval_s = 0;         // between rotations of the key; 0: none
  bool client_isolation = false;        // clients do not reach each other
  std::vector<IpPrefix> address_pool;   // leases; empty: the tunnel's networks
  std::vector<IpAddress> dns;           // that clients are to ask for names
  std::vector<std::string> dns_search;  // domains of short names there
  std::vector<PeerEntry> peers;         // what is known of single clients
};

// How a client finds its hub and what lies behind it.
struct ClientConfig {
  std::optional<HostPort> remote;  // tried before `hubs`
  std::string server_public_key;   // of `remote`; may be empty
  std::vector<HubEntry> hubs;      // in the order in which they are tried
  std::string sni = "www.example.com";
  bool nat_detection = false;  // asks its hub how its NAT treats it

  // Of all hubs, in the order in which they are tried.
  std::vector<HostPort> HubAddresses() const;
};

// Networks behind this side, and those that are taken of the other.
struct RoutingConfig {
  std::vector<IpPrefix> own;  // announced
  std::vector<Acceptance> accept = {{}};
  bool default_route = false;  // of a client: everything goes to its hub
  WhenDown when_down =
      WhenDown::kKeep;      // what becomes of that while it is away
  bool accept_dns = false;  // of a client: its host asks whom the hub names
};

struct LanConfig {
  LanPort port;
  std::vector<IpPrefix> addresses;  // with a memif: the kernel's in it
};

// The way to the network outside and the looks of its frames.
struct UplinkConfig {
  UplinkDriver driver = UplinkDriver::kAuto;
  std::string interface;  // empty = automatic
  bool super_frames = true;
  PersonaChoice persona = PersonaChoice::kAuto;
};

struct FecConfig {
  FecChoice choice;
  uint8_t data = 0;  // 0: `choice` decides
  uint8_t parity = 3;
  uint32_t flush_us = 2000;
  uint32_t interleave_us = 20'000;

  // What `fec`, `fec_data` and `fec_parity` come to: "off" is off, else data
  // shards that were given make the code a fixed one.
  fec::Settings Settings() const {
    fec::Settings settings{choice.mode, choice.fixed, interleave_us};
    if (choice.mode == fec::Mode::kAuto && data > 0) {
      settings.mode = fec::Mode::kFixed;
      settings.fixed = {data, parity, 1};
    }
    return settings;
  }
};

// How fast it goes, and what may wait for that.
struct QueueConfig {
  BitRate rate;          // to one peer
  BitRate rate_in;       // from one peer
  BitRate uplink_rate;   // to all
  uint32_t send = 5000;  // packets to be sealed, of each worker
};

struct RekeyLimits {
  uint64_t records = uint64_t{1} << 28;
  uint32_t seconds = 120;
};

struct WorkerConfig {
  uint32_t count = 0;  // 0 = automatic
  Pinning pinning = Pinning::kAuto;
  MemoryMode memory = MemoryMode::kAuto;
  Idle idle = Idle::kAdaptive;
  bool retransmit = true;
  uint32_t arena_mib = 0;  // sent bytes kept per worker; 0: see arena_bytes
};

// Where metrics are asked for: at most one of the two is there.
struct MetricsPlace {
  std::optional<Endpoint> endpoint;
  std::string socket;  // path
  bool configured() const { return endpoint || !socket.empty(); }
};

struct MetricsConfig {
  MetricsPlace listen;        // nowhere by default
  bool allow_remote = false;  // an endpoint that is not of the loopback
  // Others than programs of this host reach it.
  bool IsRemote() const {
    return listen.endpoint && !listen.endpoint->address.IsLoopback();
  }
};

// This gateway's places on the host, and its log.
struct HostConfig {
  std::string state_dir;       // empty: host::PathsOf knows
  std::string run_dir;         // that exists, or may be made; empty: as above
  std::string control_socket;  // empty: host::PathsOf knows
  LogLevel log_level = LogLevel::kInfo;
};

struct Config {
  Mode mode = Mode::kUnset;
  TunnelConfig tunnel;
  KeyConfig key;
  HubConfig hub;
  ClientConfig client;
  RoutingConfig routing;
  LanConfig lan;
  UplinkConfig uplink;
  FecConfig fec;
  QueueConfig queues;
  RekeyLimits rekey;
  WorkerConfig workers;
  HostConfig host;
  MetricsConfig metrics;

  uint32_t arena_bytes() const {
    uint32_t automatic = mode == Mode::kServer ? 64 : 12;
    return (workers.arena_mib == 0 ? automatic : workers.arena_mib) << 20;
  }
  // Networks behind peers, of `[[peer]]`, default routes aside.
  std::vector<IpPrefix> PeerNetworks() const;
  // What the tunnel addresses need of the MTU inside.
  uint16_t LeastMtu() const;
};

class Origins;  // load.h

// The relations between settings: what hub and client need and may not
// have, MTU against families. Reads `key_file`.
// The error has one line for each fault, each with its remedy, and of an entry
// [[hub]] with its place where `origins` are given; `warnings` gets a sentence
// for each doubt. It is InvalidArgument where the way out leads into the
// tunnel's own network or others would read metrics, else FailedPrecondition.
absl::Status Finish(Config& config, std::vector<std::string>& warnings,
                    const Origins* origins = nullptr);
// The same relations without those of the key.
absl::Status CheckAgreement(const Config& config);

std::string_view NameOf(Mode mode);              // "server"
std::string_view NameOf(Encryption encryption);  // "aes-256-gcm"
std::string_view NameOf(UplinkDriver driver);    // "af_packet"

}  // namespace lwt::config
