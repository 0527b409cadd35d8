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
#include "dataplane/fec/policy.h"
#include "drivers/ip_endpoint.h"
#include "drivers/memory_mode.h"

namespace lwt::config {

enum class Mode : uint8_t { kUnset, kServer, kClient };
enum class Encryption : uint8_t { kAes256Gcm, kNone };
enum class LogLevel : uint8_t { kError, kWarn, kInfo, kDebug };
enum class UplinkDriver : uint8_t { kAuto, kAfPacket, kAfXdp };
enum class TunnelPort : uint8_t { kAuto, kOffload, kTap };
enum class PersonaChoice : uint8_t { kAuto, kLinux61, kLinux618 };
enum class Idle : uint8_t { kAdaptive, kBusy };
enum class Pinning : uint8_t { kAuto, kOn, kOff };

// Where a client finds its server. `host` is an address or a name; a name is
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

// An entry [[peer]]: the networks behind a client.
struct PeerEntry {
  std::string public_key;  // base64, 44 characters
  std::vector<IpPrefix> allowed_ips;
};

// "auto", "off" or "K:M".
struct FecChoice {
  fec::Mode mode = fec::Mode::kAuto;
  fec::Parameters fixed;
};

struct Config {
  Mode mode = Mode::kUnset;
  std::optional<Endpoint> local;      // server: where it listens
  std::optional<HostPort> remote;     // client: the server
  std::vector<IpPrefix> tunnel_addr;  // at most one IPv4 and one IPv6
  // The shared key, from `key` or from the file that `key_file` names; empty
  // only with Encryption::kNone. Erase it (EraseKey) once the psk is derived.
  std::string key;
  std::string key_file;
  std::string network = "default";
  Encryption encryption = Encryption::kAes256Gcm;
  uint16_t mtu = 0;  // bytes inside the tunnel; 0 = automatic
  std::string tun_name = "lwt0";
  bool multi_client = true;
  uint32_t max_clients = 100;
  std::optional<HostPort> fallback;  // server: whom strangers meet
  std::string state_dir;             // empty: host::PathsOf knows
  std::string control_socket;        // empty: host::PathsOf knows
  LogLevel log_level = LogLevel::kInfo;
  std::string server_public_key;  // client: base64, 44 characters; may be empty
  std::string sni = "www.example.com";
  PersonaChoice persona = PersonaChoice::kAuto;

  LanPort lan_port;
  std::vector<IpPrefix> lan_addr;  // with a memif: the kernel's addresses in it
  std::vector<IpPrefix> routes;    // client: networks behind the server
  std::vector<PeerEntry> peers;    // server: networks behind clients

  UplinkDriver uplink_driver = UplinkDriver::kAuto;
  std::string uplink_interface;  // empty = automatic
  bool super_frames = true;

  TunnelPort tunnel_port = TunnelPort::kAuto;
  uint32_t workers = 0;  // 0 = automatic
  Pinning pinning = Pinning::kAuto;
  MemoryMode memory = MemoryMode::kAuto;
  Idle idle = Idle::kAdaptive;
  bool retransmit = true;
  FecChoice fec;
  uint8_t fec_data = 0;  // 0: `fec` decides
  uint8_t fec_parity = 3;
  uint32_t fec_flush_us = 2000;
  uint32_t fec_interleave_us = 20'000;
  uint64_t rekey_records = uint64_t{1} << 28;
  uint32_t rekey_seconds = 120;
  uint32_t arena_mib = 0;  // sent bytes kept per worker; 0: see arena_bytes

  uint32_t arena_bytes() const {
    uint32_t automatic = mode == Mode::kServer ? 64 : 12;
    return (arena_mib == 0 ? automatic : arena_mib) << 20;
  }
  // What `fec`, `fec_data` and `fec_parity` come to: "off" is off, else data
  // shards that were given make the code a fixed one.
  fec::Settings FecSettings() const {
    fec::Settings settings{fec.mode, fec.fixed, fec_interleave_us};
    if (fec.mode == fec::Mode::kAuto && fec_data > 0) {
      settings.mode = fec::Mode::kFixed;
      settings.fixed = {fec_data, fec_parity, 1};
    }
    return settings;
  }
  // Networks behind peers, of `routes` or `peers`.
  std::vector<IpPrefix> PeerNetworks() const;
  void EraseKey() {
    sodium_memzero(key.data(), key.size());
    key.clear();
  }
};

// The relations between settings: what server and client need and may not
// have, MTU against families. Reads `key_file`.
// The error has one line for each fault, each with its remedy; `warnings`
// gets a sentence for each doubt.
absl::Status Finish(Config& config, std::vector<std::string>& warnings);

std::string_view NameOf(Mode mode);              // "server"
std::string_view NameOf(Encryption encryption);  // "aes-256-gcm"
std::string_view NameOf(UplinkDriver driver);    // "af_packet"

}  // namespace lwt::config
