// Readers of the setting values that have a form of their own. Each takes text
// and says in its error what the form is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/config.h"

namespace lwt::config {

// "192.0.2.1:9000", "[2001:db8::1]:9000"; the port is not 0.
absl::StatusOr<Endpoint> ReadListenAddress(std::string_view text);

// An endpoint, or "name:port" with a host name (RFC 1123).
absl::StatusOr<HostPort> ReadRemoteAddress(std::string_view text);

// "10.0.0.1/24,fd00::1/64": host addresses with prefix lengths, at most one of
// each family.
absl::StatusOr<std::vector<IpPrefix>> ReadTunnelAddresses(
    std::string_view text);

// "auto", "off", or "K:M": data shards 1 … 64, parities 0 … 32.
absl::StatusOr<FecChoice> ReadFec(std::string_view text);

// The name of a network interface: 1 to 15 bytes, no slash, no space.
absl::Status CheckInterfaceName(std::string_view text);

absl::Status CheckHostName(std::string_view text);

// The text in quotes, with everything unprintable escaped, cut at 64 bytes.
std::string Quoted(std::string_view text);

}  // namespace lwt::config
