// IP addresses and transport endpoints, the vocabulary that every layer shares.
//
// Both families fit in one value type, so that no table or message of the
// gateway has to be written twice.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace lwt {

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

// An IPv4 or IPv6 address in network byte order. An IPv4 address occupies the
// first four bytes; the rest are zero, so that equality is one memcmp.
struct IpAddress {
  Family family = Family::kIpv4;
  std::array<uint8_t, 16> bytes{};

  static constexpr size_t SizeOf(Family family) {
    return family == Family::kIpv4 ? 4 : 16;
  }
  size_t size() const { return SizeOf(family); }

  // Reads 4 or 16 bytes at `data`.
  static IpAddress FromBytes(Family family, const uint8_t* data) {
    IpAddress address;
    address.family = family;
    std::memcpy(address.bytes.data(), data, SizeOf(family));
    return address;
  }
  static IpAddress Any(Family family) { return IpAddress{family, {}}; }

  bool IsUnspecified() const { return *this == Any(family); }
  // RFC 1122 section 3.2.1.3 (g), RFC 4291 section 2.5.3.
  bool IsLoopback() const {
    if (family == Family::kIpv4) return bytes[0] == 127;
    IpAddress loopback = Any(Family::kIpv6);
    loopback.bytes[15] = 1;
    return *this == loopback;
  }
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// An address range: the first `length` bits of `address` count. Host bits of
// `address` are kept, so that an interface address such as 10.0.0.1/24 is one.
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;  // bits, at most 32 or 128

  // The address with its host bits cleared.
  IpAddress Network() const;
  bool Contains(const IpAddress& other) const;
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// Whether it may be a host's in that network: neither the network's own nor its
// broadcast address (RFC 1122 §3.2.1.3, RFC 4291 §2.6.1), which networks of two
// addresses go without (RFC 3021, RFC 6164).
bool IsHostOf(const IpPrefix& network, const IpAddress& address);

// One end of an outer flow. `port` is in host byte order.
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

// Text forms: "192.0.2.1", "2001:db8::1"; "10.0.0.1/24"; "192.0.2.1:9000",
// "[2001:db8::1]:9000". Parse* accept exactly these and nothing around them.
std::string ToString(const IpAddress& address);
std::string ToString(const IpPrefix& prefix);
std::string ToString(const Endpoint& endpoint);
std::optional<IpAddress> ParseIpAddress(std::string_view text);
// "10.0.0.1" alone is a host prefix (/32 or /128).
std::optional<IpPrefix> ParseIpPrefix(std::string_view text);
std::optional<Endpoint> ParseEndpoint(std::string_view text);

}  // namespace lwt
