#include "control/config/values.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "control/base/text.h"

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

// Multicast, or the broadcast of whatever link it is sent on (RFC 919).
bool IsOfMany(const IpAddress& address) {
  const auto& b = address.bytes;
  if (address.family == Family::kIpv6) return b[0] == 0xff;
  return (b[0] >> 4) == 14 ||
         std::all_of(&b[0], &b[4], [](uint8_t byte) { return byte == 0xff; });
}

bool IsLoopback(const IpAddress& address) {
  if (address.family == Family::kIpv4) return address.bytes[0] == 127;
  IpAddress loopback = IpAddress::Any(Family::kIpv6);
  loopback.bytes[15] = 1;
  return address == loopback;
}

// fe80::/10 (RFC 4291 section 2.5.6).
bool IsLinkLocal(const IpAddress& address) {
  const auto& b = address.bytes;
  return address.family == Family::kIpv6 && b[0] == 0xfe &&
         (b[1] & 0xc0) == 0x80;
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

constexpr std::pair<char, uint64_t> kRateUnits[] = {
    {'G', 1'000'000'000}, {'M', 1'000'000}, {'k', 1'000}, {'K', 1'000}};
constexpr uint64_t kLeastBitRate = 64'000;
constexpr uint64_t kMostBitRate = 400'000'000'000;

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 64;
  bool cut = text.size() > kShown;
  return Concat("\"", absl::CHexEscape(ToAbsl(text.substr(0, kShown))),
                cut ? "...\"" : "\"");
}

absl::StatusOr<Endpoint> ReadListenAddress(std::string_view text) {
  std::optional<Endpoint> endpoint = ParseEndpoint(text);
  // The short forms that other programs take.
  constexpr std::string_view kLocalhost = "localhost:";
  if (text.starts_with(kLocalhost)) {
    endpoint =
        ParseEndpoint(Concat("127.0.0.1:", text.substr(kLocalhost.size())));
  } else if (!endpoint) {
    const size_t skipped = text.starts_with(':') ? 1 : 0;
    endpoint = ParseEndpoint(Concat("0.0.0.0:", text.substr(skipped)));
  }
  if (!endpoint || endpoint->port == 0 || IsOfMany(endpoint->address)) {
    return Invalid(Quoted(text), " is not an address and port to listen on, ",
                   "such as 0.0.0.0:9000 or [::]:9000");
  }
  return *endpoint;
}

absl::Status CheckListenAddresses(const std::vector<Endpoint>& addresses) {
  constexpr size_t kMost = 8;
  if (addresses.empty()) return Invalid("an empty list is no place to listen");
  if (addresses.size() > kMost) {
    return Invalid(addresses.size(), " places to listen are too many: keep ",
                   "at most ", kMost, ", or take 0.0.0.0 or [::]");
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    for (size_t j = 0; j < addresses.size(); ++j) {
      const Endpoint& one = addresses[i];
      const Endpoint& other = addresses[j];
      if (i == j || one.port != other.port) continue;
      if (one == other) {
        return Invalid(ToString(one), " is given twice: remove one of them");
      }
      const bool all = other.address == IpAddress::Any(one.address.family) ||
                       other.address == IpAddress::Any(Family::kIpv6);
      if (!all || one.address.IsUnspecified()) continue;
      return Invalid(ToString(one), " is part of ", ToString(other),
                     ": remove one of them");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<HostPort> ReadRemoteAddress(std::string_view text) {
  absl::Status bad =
      Invalid(Quoted(text), " is not a hub's address and port, such as ",
              "192.0.2.1:9000, [2001:db8::1]:9000 or vpn.example.com:9000");
  if (std::optional<Endpoint> endpoint = ParseEndpoint(text)) {
    if (endpoint->port == 0 || endpoint->address.IsUnspecified() ||
        IsOfMany(endpoint->address)) {
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

absl::StatusOr<IpPrefix> ReadTunnelAddress(std::string_view text) {
  std::optional<IpPrefix> prefix = ParseIpPrefix(text);
  if (!prefix || text.find('/') == std::string_view::npos) {
    return Invalid(Quoted(text), " is not an address with a prefix length, ",
                   "such as 10.86.27.1/24 or fd00::1/64");
  }
  const IpAddress& address = prefix->address;
  if (IsLinkLocal(address)) {
    return Invalid(Quoted(text), " is link-local: each link has that network, ",
                   "so no route can lead to it; take one such as fd00::1/64");
  }
  if (address.IsUnspecified() || IsOfMany(address) || IsLoopback(address) ||
      prefix->length == 0 || IsNetworkOrBroadcast(*prefix)) {
    return Invalid(Quoted(text), " is not the address of one host; take one ",
                   "inside the subnet, such as 10.86.27.1/24");
  }
  return *prefix;
}

absl::Status CheckFamilies(const std::vector<IpPrefix>& addresses) {
  for (size_t i = 1; i < addresses.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (addresses[i].address.family != addresses[j].address.family) continue;
      return Invalid(ToString(addresses[j]), " and ", ToString(addresses[i]),
                     " are of one family; give one IPv4 and one IPv6 address ",
                     "at most");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNetworkName(std::string_view text) {
  bool good = !text.empty() && text.size() <= 64 &&
              std::all_of(text.begin(), text.end(),
                          [](char c) { return c > ' ' && c <= '~'; });
  if (good) return absl::OkStatus();
  return Invalid(Quoted(text),
                 " cannot name a network: 1 to 64 printable characters ",
                 "without spaces");
}

absl::Status CheckFile(std::string_view text) {
  if (!text.empty() && text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(Quoted(text), " cannot name a file");
}

absl::Status CheckPath(std::string_view text) {
  if (text.starts_with('/') && text.find('\0') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return Invalid(Quoted(text),
                 " is not an absolute path; begin it with a slash");
}

absl::Status CheckSocketPath(std::string_view text) {
  // sun_path has 108 bytes, the terminating zero included (unix(7)).
  if (text.size() < 108) return CheckPath(text);
  return Invalid(Quoted(text),
                 " is longer than the 107 bytes of a socket's path");
}

absl::StatusOr<MetricsPlace> ReadMetricsPlace(std::string_view text) {
  if (text.starts_with('/')) {
    const absl::Status good = CheckSocketPath(text);
    if (!good.ok()) return good;
    return MetricsPlace{.socket = std::string(text)};
  }
  const bool port_alone =
      text.find_first_not_of("0123456789") == std::string_view::npos;
  const absl::StatusOr<Endpoint> endpoint = ReadListenAddress(
      port_alone ? Concat("127.0.0.1:", text) : std::string(text));
  if (endpoint.ok()) return MetricsPlace{.endpoint = *endpoint};
  return Invalid(Quoted(text), " is no place to read metrics at: an address ",
                 "and port, such as 127.0.0.1:9464 or [::1]:9464, or the ",
                 "absolute path of a socket");
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

absl::StatusOr<BitRate> ReadBitRate(std::string_view text) {
  std::string_view digits = text;
  uint64_t unit = 1;
  for (const auto& [letter, worth] : kRateUnits) {
    if (!digits.ends_with(letter)) continue;
    unit = worth;
    digits.remove_suffix(1);
    break;
  }
  uint64_t count = 0;
  const bool number =
      !digits.empty() && digits.size() <= 12 &&
      digits.find_first_not_of("0123456789") == std::string_view::npos &&
      absl::SimpleAtoi(ToAbsl(digits), &count);
  const bool none = number && count == 0;
  if (none || (number && count >= (kLeastBitRate + unit - 1) / unit &&
               count <= kMostBitRate / unit)) {
    return BitRate{count * unit};
  }
  return Invalid(Quoted(text),
                 " is no rate: bits a second, such as 500k, 50M or 1G, from "
                 "64k to 400G; 0 is no limit");
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

std::string ToText(const std::string& text) { return text; }

std::string ToText(const IpPrefix& prefix) { return ToString(prefix); }

std::string ToText(const Endpoint& endpoint) { return ToString(endpoint); }

std::string ToText(const HostPort& remote) {
  if (remote.host.empty()) return "";
  const bool ipv6 = remote.host.find(':') != std::string::npos;
  return ipv6 ? Concat("[", remote.host, "]:", remote.port)
              : Concat(remote.host, ":", remote.port);
}

std::string ToText(const std::optional<HostPort>& remote) {
  return remote ? ToText(*remote) : "";
}

std::string ToText(const MetricsPlace& place) {
  return place.endpoint ? ToString(*place.endpoint) : place.socket;
}

std::string ToText(const FecChoice& choice) {
  switch (choice.mode) {
    case fec::Mode::kAuto:
      return "auto";
    case fec::Mode::kOff:
      return "off";
    case fec::Mode::kFixed:
      break;
  }
  return Concat(int{choice.fixed.data}, ":", int{choice.fixed.parity});
}

std::string ToText(BitRate rate) {
  if (rate.bits_per_s == 0) return "";
  for (const auto& [letter, worth] : kRateUnits) {
    if (rate.bits_per_s % worth == 0) {
      return Concat(rate.bits_per_s / worth, std::string(1, letter));
    }
  }
  return Concat(rate.bits_per_s);
}

std::string ToText(const std::optional<BitRate>& rate) {
  if (!rate) return "";
  return rate->bits_per_s == 0 ? "0" : ToText(*rate);
}

std::string ToText(const std::optional<FecChoice>& choice) {
  return choice ? ToText(*choice) : "";
}

}  // namespace lwt::config
