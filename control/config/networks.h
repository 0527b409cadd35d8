// Settings about networks behind this side and behind its peers: the LAN port,
// `routes` and `accept_routes`, and [[peer]] entries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/config.h"

namespace lwt::config {

// "192.168.7.0/24", "fd07::/64": a network, no host bits set, not the default
// route.
absl::StatusOr<IpPrefix> ReadNetwork(std::string_view text);

// The same of what a hub gives to a client, of which all that has no other way
// may be a part: 0.0.0.0/0 and ::/0.
absl::StatusOr<IpPrefix> ReadGrant(std::string_view text);
inline bool IsDefault(const IpPrefix& network) { return network.length == 0; }

// Both halves of a family's address space: together they take what a default
// route would, and leave that as it is.
std::vector<IpPrefix> HalvesOf(Family family);
// No network of a peer or of ours is as large as that.
inline bool IsHalf(const IpPrefix& network) { return network.length == 1; }

// 0/8, 127/8, 224/4 and up, 169.254/16; ::/8, fe80::/10, ff00::/8.
bool IsNeverRouted(const IpAddress& network);

// All of these.
std::vector<IpPrefix> NeverRouted();

// "10.0.0.7", without a length: an address that a host may have.
absl::StatusOr<IpAddress> ReadHostAddress(std::string_view text);
// At least one, and at most one of each family.
absl::Status CheckHostFamilies(const std::vector<IpAddress>& addresses);
std::string ToText(const IpAddress& address);

// "private", "off", "all", or a network.
absl::StatusOr<Acceptance> ReadAcceptance(std::string_view text);
// Not empty; "off" and "all" stand alone.
absl::Status CheckAcceptances(const std::vector<Acceptance>& accept);
std::string ToText(const Acceptance& acceptance);

// The name of an interface, or "memif:" and an absolute path.
absl::StatusOr<LanPort> ReadLanPort(std::string_view text);
std::string ToText(const LanPort& port);

// A key as `lwtctl status` prints it on `side`, "hub" or "client".
absl::StatusOr<std::string> ReadPublicKey(std::string_view text,
                                          std::string_view side);

// What contradicts what: networks twice, or in the tunnel's own; settings of
// the other side.
void CheckNetworks(const Config& config, std::vector<std::string>& faults);
// One of these faults: a hub, or where this side listens, has an address in the
// tunnel's own network.
bool WayOutIsInTunnel(const Config& config);

}  // namespace lwt::config
