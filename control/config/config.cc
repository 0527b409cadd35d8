#include "control/config/config.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "control/config/hub_entries.h"
#include "control/config/networks.h"
#include "control/config/secret_file.h"
#include "control/handshake/psk.h"

namespace lwt::config {
namespace {

using Faults = std::vector<std::string>;

void CheckSides(const Config& config, Faults& faults) {
  if (config.mode == Mode::kUnset) {
    faults.push_back(
        "mode is missing: say which side this is with -m server or -m client");
    return;
  }
  bool server = config.mode == Mode::kServer;
  if (server && config.client.remote) {
    faults.push_back(
        "remote_addr is for clients: remove it, or run with -m client");
  }
  if (!server && !config.client.remote && config.client.hubs.empty()) {
    faults.push_back(
        "a client needs remote_addr, its hub: -r vpn.example.com:9000; or "
        "entries [[hub]] in its file");
  }
  if (!server && !config.hub.local.empty()) {
    faults.push_back(
        "local_addr is for hubs: remove it, or run with -m server");
  }
  if (server && !config.client.server_public_key.empty()) {
    faults.push_back(
        "server_public_key is for clients: remove it, a hub has its own");
  }
}

void CheckTunnel(const Config& config, Faults& faults) {
  if (config.tunnel.leased && config.mode == Mode::kServer) {
    faults.push_back(
        "tunnel_addr = \"auto\" is for clients: a hub has an address of its "
        "own, -t 10.86.27.1/24, and leases others of that network");
  } else if (config.tunnel.leased && config.lan.port.configured()) {
    faults.push_back(
        "lan_port needs a tunnel_addr that is known at the start: give one "
        "instead of \"auto\"");
  }
  if (config.tunnel.addresses.empty() && !config.tunnel.leased) {
    faults.push_back(
        "tunnel_addr is missing, this side's address inside the tunnel: "
        "-t 10.86.27.1/24");
  }
  for (const IpPrefix& prefix : config.tunnel.addresses) {
    if (config.mode == Mode::kServer &&
        prefix.length == prefix.address.size() * 8) {
      faults.push_back(
          Concat("tunnel_addr ", ToString(prefix),
                 " leaves no address for a client: a hub's prefix length ",
                 "tells its network, such as 10.86.27.1/24 or fd00::1/64"));
    }
  }
  const uint16_t least = config.LeastMtu();
  if (config.tunnel.mtu != 0 && config.tunnel.mtu < least) {
    faults.push_back(Concat(
        "mtu ", int{config.tunnel.mtu},
        " is too small: ", least == kLeastMtuIpv6 ? "IPv6" : "IPv4",
        " inside needs at least ", int{least}, "; 0 chooses it by itself"));
  }
}

void CheckKey(Config& config, Faults& faults,
              std::vector<std::string>& warnings) {
  if (config.key.held) return;
  bool any = !config.key.text.empty() || !config.key.file.empty();
  if (config.key.encryption == Encryption::kNone) {
    if (any) {
      faults.push_back(
          "encryption = \"none\" takes no key: remove key and key_file, or "
          "remove encryption to use the key");
    }
    warnings.push_back(
        "encryption is \"none\": whoever reaches this gateway may join the "
        "tunnel");
    return;
  }
  if (!any) {
    faults.push_back(
        "a shared key is missing: make one with `lightweight-tunnel genkey` "
        "and give it to both sides with -k or -key-file");
    return;
  }
  if (!config.key.text.empty() && !config.key.file.empty()) {
    faults.push_back("key and key_file are both given: remove one of them");
    return;
  }
  if (!config.key.file.empty()) {
    std::vector<std::string> ignored;
    absl::StatusOr<std::string> key = ReadKeyFile(
        config.key.file, config.key.is_credential ? ignored : warnings,
        config.key.regular_only ? FileKind::kRegular : FileKind::kAny);
    if (!key.ok()) {
      faults.emplace_back(ToStd(key.status().message()));
      return;
    }
    config.key.text = *std::move(key);
  }
  const absl::Status usable = handshake::CheckKey(config.key.text);
  if (!usable.ok()) faults.emplace_back(ToStd(usable.message()));
}

bool IsRefusedRemote(const MetricsConfig& metrics) {
  return metrics.IsRemote() && !metrics.allow_remote;
}

void CheckMetrics(const Config& config, Faults& faults) {
  if (!IsRefusedRemote(config.metrics)) return;
  faults.push_back(Concat(
      "metrics.listen ", ToString(*config.metrics.listen.endpoint),
      " is reached by other hosts: take 127.0.0.1 or a socket's path, or allow "
      "it with metrics.allow_remote = true"));
}

// Of the kind that a network is of which is in use: no start will do before the
// settings are others.
absl::Status AllOf(const Faults& faults, const Config& config) {
  if (faults.empty()) return absl::OkStatus();
  const std::string lines = absl::StrJoin(faults, "\n");
  return WayOutIsInTunnel(config) || IsRefusedRemote(config.metrics)
             ? absl::InvalidArgumentError(lines)
             : absl::FailedPreconditionError(lines);
}

template <typename Enum, size_t kCount>
std::string_view Pick(const std::string_view (&names)[kCount], Enum value) {
  return names[std::min(static_cast<size_t>(value), kCount - 1)];
}

}  // namespace

absl::Status Finish(Config& config, std::vector<std::string>& warnings,
                    const Origins* origins) {
  if (config.mode == Mode::kServer && config.hub.local.empty()) {
    config.hub.local = {{IpAddress::Any(Family::kIpv4), kUsualPort}};
  }
  Faults faults;
  CheckSides(config, faults);
  CheckTunnel(config, faults);
  CheckKey(config, faults, warnings);
  CheckHubs(config, origins, faults);
  CheckNetworks(config, faults);
  CheckMetrics(config, faults);
  return AllOf(faults, config);
}

absl::Status CheckAgreement(const Config& config) {
  Faults faults;
  CheckSides(config, faults);
  CheckTunnel(config, faults);
  CheckHubs(config, nullptr, faults);
  CheckNetworks(config, faults);
  CheckMetrics(config, faults);
  return AllOf(faults, config);
}

std::string_view NameOf(Mode mode) {
  return Pick({"unset", "server", "client"}, mode);
}

std::string_view NameOf(Encryption encryption) {
  return Pick({"aes-256-gcm", "none"}, encryption);
}

std::string_view NameOf(UplinkDriver driver) {
  return Pick({"auto", "af_packet", "af_xdp"}, driver);
}

}  // namespace lwt::config
