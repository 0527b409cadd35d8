// Readers of the setting values that have a form of their own. Each takes text
// and says in its error what the form is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/config.h"

namespace lwt::config {

// "192.0.2.1:9000", "[2001:db8::1]:9000"; a port alone, "9000" or ":9000", is
// every IPv4 address; "localhost:9000" is 127.0.0.1. The port is not 0.
absl::StatusOr<Endpoint> ReadListenAddress(std::string_view text);

// At most 8, none of them within another: 0.0.0.0 has every IPv4 address, [::]
// every address. Both together are good.
absl::Status CheckListenAddresses(const std::vector<Endpoint>& addresses);

// An endpoint, or "name:port" with a host name (RFC 1123).
absl::StatusOr<HostPort> ReadRemoteAddress(std::string_view text);

// "10.0.0.1/24", "fd00::1/64": a host's address with a prefix length.
absl::StatusOr<IpPrefix> ReadTunnelAddress(std::string_view text);
// At most one of each family.
absl::Status CheckFamilies(const std::vector<IpPrefix>& addresses);

// "auto", "off", or "K:M": data shards 1 … 64, parities 0 … 32.
absl::StatusOr<FecChoice> ReadFec(std::string_view text);

// A listening address, whose port alone is one of 127.0.0.1, or the absolute
// path of a socket.
absl::StatusOr<MetricsPlace> ReadMetricsPlace(std::string_view text);

// "50M": bits a second, with k, M or G for a thousand and so on; 64k to 400G,
// or 0 for no limit.
absl::StatusOr<BitRate> ReadBitRate(std::string_view text);

// The name of a network interface: 1 to 15 bytes, no slash, no space.
absl::Status CheckInterfaceName(std::string_view text);

absl::Status CheckHostName(std::string_view text);

// What `network` takes; a file's path; one that is absolute; one for a socket.
absl::Status CheckNetworkName(std::string_view text);
absl::Status CheckFile(std::string_view text);
absl::Status CheckPath(std::string_view text);
absl::Status CheckSocketPath(std::string_view text);

// The text that the reader of each makes the same value of; empty for none.
std::string ToText(const std::string& text);
std::string ToText(const IpPrefix& prefix);
std::string ToText(const Endpoint& endpoint);
// "vpn.example.com:9000", "[2001:db8::1]:9000"; nothing for none.
std::string ToText(const HostPort& remote);
std::string ToText(const std::optional<HostPort>& remote);
std::string ToText(const FecChoice& choice);
std::string ToText(const MetricsPlace& place);
std::string ToText(BitRate rate);
// "0" for no limit, as opposed to nothing said.
std::string ToText(const std::optional<BitRate>& rate);
std::string ToText(const std::optional<FecChoice>& choice);

// The text in quotes, with everything unprintable escaped, cut at 64 bytes.
std::string Quoted(std::string_view text);

}  // namespace lwt::config
