#include "drivers/ip_endpoint.h"

#include <arpa/inet.h>

#include <charconv>

namespace lwt {
namespace {

template <typename T>
std::optional<T> ParseUnsigned(std::string_view text, T max) {
  T value = 0;
  const char* end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty() || value > max) {
    return std::nullopt;
  }
  return value;
}

uint8_t MaskOfByte(size_t byte_index, uint8_t prefix_length) {
  const size_t first_bit = byte_index * 8;
  if (prefix_length >= first_bit + 8) return 0xff;
  if (prefix_length <= first_bit) return 0;
  return static_cast<uint8_t>(0xff00u >> (prefix_length - first_bit));
}

}  // namespace

IpAddress IpPrefix::Network() const {
  IpAddress network = address;
  for (size_t i = 0; i < network.bytes.size(); ++i) {
    network.bytes[i] &= MaskOfByte(i, length);
  }
  return network;
}

bool IpPrefix::Contains(const IpAddress& other) const {
  return other.family == address.family &&
         IpPrefix{other, length}.Network() == Network();
}

bool IsHostOf(const IpPrefix& network, const IpAddress& address) {
  if (!network.Contains(address)) return false;
  const size_t bits = address.size() * 8;
  if (network.length + 1u >= bits) return true;
  if (network.Network() == address) return false;
  if (address.family == Family::kIpv6) return true;
  IpAddress last = network.Network();
  for (size_t bit = network.length; bit < bits; ++bit) {
    last.bytes[bit / 8] |= static_cast<uint8_t>(0x80 >> (bit % 8));
  }
  return address != last;
}

std::string ToString(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = address.family == Family::kIpv4 ? AF_INET : AF_INET6;
  inet_ntop(family, address.bytes.data(), text, sizeof(text));
  return text;
}

std::string ToString(const IpPrefix& prefix) {
  return ToString(prefix.address) + "/" + std::to_string(prefix.length);
}

std::string ToString(const Endpoint& endpoint) {
  const std::string address = ToString(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  if (endpoint.address.family == Family::kIpv4) return address + ":" + port;
  return "[" + address + "]:" + port;
}

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  if (terminated.size() != text.size() ||
      terminated.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  address = IpAddress::Any(Family::kIpv6);
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  return std::nullopt;
}

std::optional<IpPrefix> ParseIpPrefix(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = ParseIpAddress(text.substr(0, slash));
  if (!address) return std::nullopt;
  const auto max = static_cast<uint8_t>(address->size() * 8);
  if (slash == std::string_view::npos) return IpPrefix{*address, max};
  const auto length = ParseUnsigned<uint8_t>(text.substr(slash + 1), max);
  if (!length) return std::nullopt;
  return IpPrefix{*address, *length};
}

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed =
      host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = ParseIpAddress(host);
  if (!address || bracketed != (address->family == Family::kIpv6)) {
    return std::nullopt;
  }
  const auto port = ParseUnsigned<uint16_t>(text.substr(colon + 1), 65535);
  if (!port) return std::nullopt;
  return Endpoint{*address, *port};
}

}  // namespace lwt
