#include "control/config/networks.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include "control/base/text.h"
#include "control/config/values.h"
#include "control/handshake/static_key.h"

namespace lwt::config {
namespace {

constexpr std::string_view kMemif = "memif:";
// sun_path has 108 bytes, the terminating zero included (unix(7)).
constexpr size_t kLongestSocket = 107;
// The words of accept_routes, in the order of Acceptance::What.
constexpr std::string_view kAcceptances[] = {"private", "off", "all"};

bool Overlap(const IpPrefix& a, const IpPrefix& b) {
  return a.Contains(b.Network()) || b.Contains(a.Network());
}

void CheckTwice(const std::vector<IpPrefix>& networks, std::string_view what,
                std::vector<std::string>& faults) {
  for (size_t i = 0; i < networks.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      // One inside the other is fine: the longer prefix counts.
      if (networks[i] != networks[j]) continue;
      faults.push_back(Concat(ToString(networks[i]), " is named twice as a ",
                              "network behind ", what,
                              ": remove one of the two"));
    }
  }
}

// What lies behind us leads out of the tunnel, what lies behind a peer into it.
void CheckOwnRoutes(const Config& config, std::vector<std::string>& faults) {
  CheckTwice(config.routing.own, "this side", faults);
  const std::vector<IpPrefix> behind_peers = config.PeerNetworks();
  for (const IpPrefix& network : config.routing.own) {
    for (const IpPrefix& own : config.tunnel.addresses) {
      if (!Overlap(own, network)) continue;
      faults.push_back(Concat("routes: ", ToString(network),
                              " overlaps the tunnel's own network ",
                              ToString(IpPrefix{own.Network(), own.length}),
                              ": a network behind this side lies outside of "
                              "it"));
    }
    for (const IpPrefix& other : behind_peers) {
      if (!Overlap(other, network)) continue;
      faults.push_back(Concat("routes: ", ToString(network), " overlaps ",
                              ToString(other),
                              ", which an entry [[peer]] gives to a client"));
    }
  }
}

void CheckOverlaps(const Config& config, std::vector<std::string>& faults) {
  const std::vector<IpPrefix> networks = config.PeerNetworks();
  CheckTwice(networks, "a peer", faults);
  for (size_t i = 0; i < networks.size(); ++i) {
    for (const IpPrefix& own : config.tunnel.addresses) {
      if (!Overlap(own, networks[i])) continue;
      faults.push_back(Concat(ToString(networks[i]),
                              " overlaps the tunnel's own network ",
                              ToString(IpPrefix{own.Network(), own.length}),
                              ": a network behind a peer lies outside of it"));
    }
  }
}

// A packet to the other side must never enter the tunnel that it carries.
void CheckWayTo(const IpAddress& hub, std::string_view key,
                const Config& config, std::vector<std::string>& faults) {
  for (const IpPrefix& own : config.tunnel.addresses) {
    if (!own.Contains(hub)) continue;
    faults.push_back(Concat(key, " ", ToString(hub),
                            " lies within the tunnel's own network ",
                            ToString(IpPrefix{own.Network(), own.length}),
                            ": give tunnel_addr a network of its own"));
  }
  for (const IpPrefix& network : config.PeerNetworks()) {
    if (!network.Contains(hub)) continue;
    faults.push_back(Concat(ToString(network), ", a network behind a peer, ",
                            "contains ", key, " ", ToString(hub),
                            ": the tunnel's own frames would enter it"));
  }
}

struct WayOut {
  IpAddress address;
  std::string_view key;
};

// A name is known when it is resolved only.
std::vector<WayOut> WaysOut(const Config& config) {
  std::vector<WayOut> ways;
  for (const Endpoint& local : config.hub.local) {
    if (local.address.IsUnspecified()) continue;
    ways.push_back({local.address, "local_addr"});
  }
  for (const HostPort& hub : config.client.HubAddresses()) {
    const std::optional<IpAddress> address = ParseIpAddress(hub.host);
    const bool first = config.client.remote && hub == *config.client.remote;
    if (address)
      ways.push_back({*address, first ? "remote_addr" : "hub.address"});
  }
  return ways;
}

void CheckInterfaces(const Config& config, std::vector<std::string>& faults) {
  struct Use {
    std::string_view key;
    const std::string& name;
  };
  const Use uses[] = {{"tun_name", config.tunnel.device},
                      {"lan_port", config.lan.port.interface},
                      {"uplink.interface", config.uplink.interface}};
  for (const Use& use : uses) {
    for (const Use* other = uses; other != &use; ++other) {
      if (use.name.empty() || use.name != other->name) continue;
      faults.push_back(Concat(other->key, " and ", use.key, " are both ",
                              use.name, ": name two interfaces"));
    }
  }
}

void CheckPeerNames(const std::vector<PeerEntry>& peers,
                    std::vector<std::string>& faults) {
  std::set<std::string> names;
  for (const PeerEntry& peer : peers) {
    if (peer.name.empty() || names.insert(peer.name).second) continue;
    faults.push_back(Concat("two entries [[peer]] have the name ", peer.name,
                            ": give one of them another"));
  }
}

// What stands against reserving an address; empty: nothing.
std::string AgainstReserving(const IpAddress& address, const Config& config) {
  for (const IpPrefix& own : config.tunnel.addresses) {
    if (own.address == address) return "is the hub's own";
    if (IsHostOf(own, address)) return "";
  }
  return "is not a host's of the tunnel's network, which tunnel_addr names";
}

void CheckPeerAddresses(const Config& config,
                        std::vector<std::string>& faults) {
  std::vector<IpAddress> taken;
  for (const PeerEntry& peer : config.hub.peers) {
    for (const IpAddress& address : peer.addresses) {
      std::string against = AgainstReserving(address, config);
      if (std::find(taken.begin(), taken.end(), address) != taken.end()) {
        against = "is reserved by two entries [[peer]]";
      }
      taken.push_back(address);
      if (against.empty()) continue;
      faults.push_back(
          Concat("peer.addresses: ", ToString(address), " ", against));
    }
  }
}

void CheckPool(const Config& config, std::vector<std::string>& faults) {
  const std::vector<IpPrefix>& own = config.tunnel.addresses;
  for (const IpPrefix& range : config.hub.address_pool) {
    const bool inside =
        std::any_of(own.begin(), own.end(), [&](const IpPrefix& network) {
          return network.Contains(range.address) &&
                 range.length >= network.length;
        });
    if (inside) continue;
    faults.push_back(Concat("address_pool: ", ToString(range),
                            " is no part of the tunnel's network, which "
                            "tunnel_addr names"));
  }
}

void CheckPeers(const Config& config, std::vector<std::string>& faults) {
  for (size_t i = 0; i < config.hub.peers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (config.hub.peers[i].public_key != config.hub.peers[j].public_key)
        continue;
      faults.push_back(Concat("peer ", config.hub.peers[i].public_key,
                              " has two entries [[peer]]: join them"));
    }
  }
  std::vector<IpPrefix> defaults;
  for (const PeerEntry& peer : config.hub.peers) {
    std::copy_if(peer.allowed_ips.begin(), peer.allowed_ips.end(),
                 std::back_inserter(defaults), IsDefault);
  }
  CheckTwice(defaults, "a peer", faults);
  CheckPeerNames(config.hub.peers, faults);
  CheckPeerAddresses(config, faults);
}

}  // namespace

bool IsNeverRouted(const IpAddress& network) {
  const auto& b = network.bytes;
  if (network.family == Family::kIpv4) {
    return b[0] == 0 || b[0] == 127 || b[0] >= 224 ||
           (b[0] == 169 && b[1] == 254);
  }
  return b[0] == 0 || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

std::vector<IpPrefix> NeverRouted() {
  std::vector<IpPrefix> networks;
  for (const char* text : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16",
                           "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"}) {
    networks.push_back(*ParseIpPrefix(text));
  }
  return networks;
}

std::vector<IpPrefix> HalvesOf(Family family) {
  IpPrefix lower{IpAddress::Any(family), 1};
  IpPrefix upper = lower;
  upper.address.bytes[0] = 0x80;
  return {lower, upper};
}

absl::StatusOr<IpPrefix> ReadNetwork(std::string_view text) {
  const std::optional<IpPrefix> prefix = ParseIpPrefix(text);
  if (!prefix) {
    return Invalid(Quoted(text), " is not a network, such as ",
                   "192.168.7.0/24 or fd07::/64");
  }
  if (prefix->length == 0) {
    return Invalid(Quoted(text), " is the default route, which the tunnel ",
                   "itself needs; name the networks");
  }
  if (prefix->Network() != prefix->address) {
    return Invalid(Quoted(text), " has bits set behind its length; the ",
                   "network is ",
                   ToString(IpPrefix{prefix->Network(), prefix->length}));
  }
  if (IsNeverRouted(prefix->address)) {
    return Invalid(Quoted(text), " is never routed: multicast, loopback, ",
                   "link-local or reserved");
  }
  return *prefix;
}

absl::StatusOr<IpPrefix> ReadGrant(std::string_view text) {
  const std::optional<IpPrefix> prefix = ParseIpPrefix(text);
  const bool is_default =
      prefix && IsDefault(*prefix) && prefix->address.IsUnspecified();
  if (is_default) return *prefix;
  return ReadNetwork(text);
}

absl::StatusOr<IpAddress> ReadHostAddress(std::string_view text) {
  const std::optional<IpAddress> address = ParseIpAddress(text);
  if (!address) {
    return Invalid(Quoted(text), " is not an address, such as 10.86.27.7, ",
                   "without a length");
  }
  if (IsNeverRouted(*address)) {
    return Invalid(Quoted(text), " is no host's address: multicast, loopback, ",
                   "link-local or reserved");
  }
  return *address;
}

absl::Status CheckHostFamilies(const std::vector<IpAddress>& addresses) {
  if (addresses.empty()) return Invalid("an empty list names no address");
  const bool twice =
      addresses.size() > 2 ||
      (addresses.size() == 2 && addresses[0].family == addresses[1].family);
  if (!twice) return absl::OkStatus();
  return Invalid("a client has at most one IPv4 and one IPv6 address");
}

std::string ToText(const IpAddress& address) { return ToString(address); }

absl::StatusOr<Acceptance> ReadAcceptance(std::string_view text) {
  const auto word =
      std::find(std::begin(kAcceptances), std::end(kAcceptances), text);
  if (word != std::end(kAcceptances)) {
    return Acceptance{
        static_cast<Acceptance::What>(word - std::begin(kAcceptances)), {}};
  }
  absl::StatusOr<IpPrefix> network = ReadNetwork(text);
  if (network.ok()) return Acceptance{Acceptance::What::kNetwork, *network};
  if (ParseIpPrefix(text)) return network.status();
  return Invalid(Quoted(text), " is none of private, off and all, and no ",
                 "network such as 10.20.0.0/16");
}

absl::Status CheckAcceptances(const std::vector<Acceptance>& accept) {
  if (accept.empty()) return Invalid("an empty list takes nothing: say off");
  for (const Acceptance& each : accept) {
    const bool alone = each.what == Acceptance::What::kOff ||
                       each.what == Acceptance::What::kAll;
    if (alone && accept.size() > 1) {
      return Invalid(ToText(each), " stands alone");
    }
  }
  return absl::OkStatus();
}

std::string ToText(const Acceptance& acceptance) {
  if (acceptance.what == Acceptance::What::kNetwork) {
    return ToString(acceptance.network);
  }
  return std::string(kAcceptances[static_cast<size_t>(acceptance.what)]);
}

absl::StatusOr<LanPort> ReadLanPort(std::string_view text) {
  LanPort port;
  if (!text.starts_with(kMemif)) {
    const absl::Status named = CheckInterfaceName(text);
    if (!named.ok()) return named;
    port.interface = std::string(text);
    return port;
  }
  const std::string_view path = text.substr(kMemif.size());
  if (!path.starts_with('/') || path.size() > kLongestSocket ||
      path.find_first_of(std::string_view(",\0", 2)) !=
          std::string_view::npos) {
    return Invalid(Quoted(text), " does not name a memif socket: behind ",
                   "\"memif:\" stands an absolute path of at most ",
                   kLongestSocket, " bytes without a comma");
  }
  port.memif_socket = std::string(path);
  return port;
}

std::string ToText(const LanPort& port) {
  return port.memif_socket.empty() ? port.interface : Concat(kMemif, port.memif_socket);
}

absl::StatusOr<std::string> ReadPublicKey(std::string_view text,
                                          std::string_view side) {
  auto key = handshake::PublicKeyFromText(text);
  if (key.ok()) return handshake::PublicKeyToText(*key);
  return Invalid(Quoted(text),
                 " is not a public key: 44 characters of base64, ",
                 "as `lwtctl status` prints them on the ", side);
}

uint16_t Config::LeastMtu() const {
  const bool ipv6 =
      std::any_of(tunnel.addresses.begin(), tunnel.addresses.end(),
                  [](const IpPrefix& each) {
                    return each.address.family == Family::kIpv6;
                  });
  return ipv6 || tunnel.leased ? kLeastMtuIpv6 : kLeastMtuIpv4;
}

std::vector<HostPort> ClientConfig::HubAddresses() const {
  std::vector<HostPort> addresses;
  if (remote) addresses.push_back(*remote);
  for (const HubEntry& hub : hubs) addresses.push_back(hub.address);
  return addresses;
}

std::vector<IpPrefix> Config::PeerNetworks() const {
  std::vector<IpPrefix> networks;
  for (const PeerEntry& peer : hub.peers) {
    for (const IpPrefix& network : peer.allowed_ips) {
      if (!IsDefault(network)) networks.push_back(network);
    }
  }
  return networks;
}

void CheckNetworks(const Config& config, std::vector<std::string>& faults) {
  if (config.mode == Mode::kClient && !config.hub.peers.empty()) {
    faults.push_back(
        "[[peer]] is for hubs: a client names the networks behind itself by "
        "routes, and takes those of its hub by accept_routes");
  }
  if (!config.lan.addresses.empty() && config.lan.port.memif_socket.empty()) {
    faults.push_back(
        "lan_addr is for a memif: give the interface of lan_port its address "
        "by `ip address add`");
  }
  if (config.lan.addresses.empty() && !config.lan.port.memif_socket.empty()) {
    faults.push_back(
        "a memif needs lan_addr, this side's address in the LAN: "
        "-lan-addr 192.168.7.1/24");
  }
  for (const IpPrefix& lan : config.lan.addresses) {
    for (const IpPrefix& network : config.PeerNetworks()) {
      if (!Overlap(lan, network)) continue;
      faults.push_back(Concat("lan_addr ", ToString(lan), " overlaps ",
                              ToString(network), ", a network behind a peer"));
    }
    for (const IpPrefix& own : config.tunnel.addresses) {
      if (!Overlap(lan, own)) continue;
      faults.push_back(Concat("lan_addr ", ToString(lan),
                              " overlaps the tunnel's network ",
                              ToString(own)));
    }
  }
  CheckInterfaces(config, faults);
  for (const WayOut& way : WaysOut(config)) {
    CheckWayTo(way.address, way.key, config, faults);
  }
  CheckPeers(config, faults);
  CheckPool(config, faults);
  CheckOverlaps(config, faults);
  CheckOwnRoutes(config, faults);
}

bool WayOutIsInTunnel(const Config& config) {
  for (const WayOut& way : WaysOut(config)) {
    for (const IpPrefix& own : config.tunnel.addresses) {
      if (own.Contains(way.address)) return true;
    }
  }
  return false;
}

}  // namespace lwt::config
