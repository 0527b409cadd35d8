// Which networks of a peer are taken (docs/protocol.md, "Routes"): what nobody
// may claim, and what the settings accept. Pure functions. Control thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/handshake/messages.h"
#include "control/host/net/address_order.h"
#include "drivers/ip_endpoint.h"

namespace lwt::routing {

using handshake::RouteCode;

// Of one client: those behind the first so many of its list are refused,
// whatever they are, and so is what has one more prefix length.
inline constexpr size_t kMostRoutes = 32;
inline constexpr size_t kMostLengths = 8;

// Addresses that the tunnel's own frames go to. Asked and changed in a time
// that grows with the logarithm of how many there are.
class Underlay {
 public:
  void Add(const IpAddress& address) { ++ends_[address]; }
  void Remove(const IpAddress& address);
  bool AnyIn(const IpPrefix& network) const;

 private:
  std::map<IpAddress, size_t, host::AddressOrder> ends_;
};

// What no peer has, whatever it says.
struct Surroundings {
  std::span<const IpPrefix>
      tunnel;  // our tunnel addresses, with their networks
  const Underlay& underlay;
  std::span<const IpPrefix> here;  // networks of this host
  std::span<const IpPrefix> own;   // those that we announce
};

bool Overlap(const IpPrefix& a, const IpPrefix& b);
// `outer` contains all of `inner`.
bool Within(const IpPrefix& inner, const IpPrefix& outer);

// Why the network is nobody's to claim; nullopt when it is.
std::optional<RouteCode> Forbidden(const IpPrefix& network,
                                   const Surroundings& around);
// Whether the settings take it of a peer to whom it was not granted.
bool Accepts(const std::vector<config::Acceptance>& accept,
             const IpPrefix& network);

// "it belongs to another client"; of a code that is not known too.
std::string Why(RouteCode code);

}  // namespace lwt::routing
