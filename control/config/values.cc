#include "control/config/values.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "control/config/text.h"

namespace lwt::config {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

bool IsHostName(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  size_t label = 0;
  for (char c : text) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    if (!IsAlphanumeric(c) && c != '-' && c != '_') return false;
    if (++label > 63) return false;
  }
  // A last label of digits is a mistyped address, never a name (RFC 1123
  // section 2.1).
  std::string_view last = text.substr(text.rfind('.') + 1);
  return label > 0 && !std::all_of(last.begin(), last.end(),
                                   [](char c) { return c >= '0' && c <= '9'; });
}

// A whole number from `min` to `max`.
std::optional<uint8_t> ReadCount(std::string_view text, uint8_t min,
                                 uint8_t max) {
  uint8_t count = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || stop != end || count < min || count > max) {
    return std::nullopt;
  }
  return count;
}

std::optional<uint16_t> ReadPort(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

bool IsMulticast(const IpAddress& address) {
  if (address.family == Family::kIpv4) return (address.bytes[0] >> 4) == 14;
  return address.bytes[0] == 0xff;
}

bool IsLoopback(const IpAddress& address) {
  if (address.family == Family::kIpv4) return address.bytes[0] == 127;
  IpAddress loopback = IpAddress::Any(Family::kIpv6);
  loopback.bytes[15] = 1;
  return address == loopback;
}

// The first or last address of an IPv4 subnet that has room for more than two.
bool IsNetworkOrBroadcast(const IpPrefix& prefix) {
  if (prefix.address.family != Family::kIpv4 || prefix.length > 30) {
    return false;
  }
  uint32_t host = 0;
  for (int i = 0; i < 4; ++i) host = host << 8 | prefix.address.bytes[i];
  uint32_t mask = 0xffffffffu >> prefix.length;
  return (host & mask) == 0 || (host & mask) == mask;
}

absl::StatusOr<IpPrefix> ReadTunnelAddress(std::string_view text) {
  std::optional<IpPrefix> prefix = ParseIpPrefix(text);
  if (!prefix || text.find('/') == std::string_view::npos) {
    return Invalid(Quoted(text), " is not an address with a prefix length, ",
                   "such as 10.0.0.1/24 or fd00::1/64");
  }
  const IpAddress& address = prefix->address;
  if (address.IsUnspecified() || IsMulticast(address) || IsLoopback(address) ||
      prefix->length == 0 || IsNetworkOrBroadcast(*prefix)) {
    return Invalid(Quoted(text), " is not the address of one host; take one ",
                   "inside the subnet, such as 10.0.0.1/24");
  }
  return *prefix;
}

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 64;
  bool cut = text.size() > kShown;
  return Concat("\"", absl::CHexEscape(ToAbsl(text.substr(0, kShown))),
                cut ? "...\"" : "\"");
}

absl::StatusOr<Endpoint> ReadListenAddress(std::string_view text) {
  std::optional<Endpoint> endpoint = ParseEndpoint(text);
  if (!endpoint || endpoint->port == 0 || IsMulticast(endpoint->address)) {
    return Invalid(Quoted(text), " is not an address and port to listen on, ",
                   "such as 0.0.0.0:9000 or [::]:9000");
  }
  return *endpoint;
}

absl::StatusOr<HostPort> ReadRemoteAddress(std::string_view text) {
  absl::Status bad =
      Invalid(Quoted(text), " is not a server's address and port, such as ",
              "192.0.2.1:9000, [2001:db8::1]:9000 or vpn.example.com:9000");
  if (std::optional<Endpoint> endpoint = ParseEndpoint(text)) {
    if (endpoint->port == 0 || endpoint->address.IsUnspecified() ||
        IsMulticast(endpoint->address)) {
      return bad;
    }
    return HostPort{ToString(endpoint->address), endpoint->port};
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::optional<uint16_t> port = ReadPort(text.substr(colon + 1));
  if (!port || !IsHostName(text.substr(0, colon))) return bad;
  return HostPort{std::string(text.substr(0, colon)), *port};
}

absl::StatusOr<std::vector<IpPrefix>> ReadTunnelAddresses(
    std::string_view text) {
  std::vector<IpPrefix> addresses;
  for (absl::string_view part : absl::StrSplit(ToAbsl(text), ',')) {
    part = absl::StripAsciiWhitespace(part);
    absl::StatusOr<IpPrefix> prefix = ReadTunnelAddress(ToStd(part));
    if (!prefix.ok()) return prefix.status();
    for (const IpPrefix& other : addresses) {
      if (other.address.family == prefix->address.family) {
        return Invalid(Quoted(text), " has two addresses of one family; ",
                       "give one IPv4 and one IPv6 address at most");
      }
    }
    addresses.push_back(*prefix);
  }
  return addresses;
}

absl::StatusOr<FecChoice> ReadFec(std::string_view text) {
  if (text == "auto") return FecChoice{};
  if (text == "off") return FecChoice{fec::Mode::kOff, {}};
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto data = ReadCount(text.substr(0, colon), 1, fec::kMaxData);
    const auto parity = ReadCount(text.substr(colon + 1), 0, fec::kMaxParity);
    if (data && parity) {
      return FecChoice{fec::Mode::kFixed, {*data, *parity, 1}};
    }
  }
  return Invalid(Quoted(text),
                 " is neither auto nor off nor K:M with K from 1 to ",
                 int{fec::kMaxData}, " and M from 0 to ", int{fec::kMaxParity});
}

absl::Status CheckInterfaceName(std::string_view text) {
  bool good = !text.empty() && text.size() <= 15 && text != "." && text != "..";
  for (char c : text) {
    good = good && c > ' ' && c <= '~' && c != '/' && c != ':' && c != '%';
  }
  if (good) return absl::OkStatus();
  return Invalid(Quoted(text), " cannot name a network interface: 1 to 15 ",
                 "letters, digits and signs, without / : % and spaces");
}

absl::Status CheckHostName(std::string_view text) {
  if (IsHostName(text)) return absl::OkStatus();
  return Invalid(Quoted(text), " is not a host name, such as www.example.com");
}

}  // namespace lwt::config
