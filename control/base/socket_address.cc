#include "control/base/socket_address.h"

#include <netinet/in.h>

#include <cstring>

namespace lwt {

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  const uint8_t* bytes = endpoint.address.bytes.data();
  if (endpoint.address.family == Family::kIpv4) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(endpoint.port);
    std::memcpy(&ipv4.sin_addr, bytes, sizeof(ipv4.sin_addr));
    size = sizeof(ipv4);
    return;
  }
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(endpoint.port);
  std::memcpy(&ipv6.sin6_addr, bytes, sizeof(ipv6.sin6_addr));
  size = sizeof(ipv6);
}

std::optional<Endpoint> SocketAddress::endpoint() const {
  if (family() == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
    return Endpoint{
        IpAddress::FromBytes(Family::kIpv4,
                             reinterpret_cast<const uint8_t*>(&ipv4.sin_addr)),
        ntohs(ipv4.sin_port)};
  }
  if (family() == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
    return Endpoint{IpAddress::FromBytes(Family::kIpv6, ipv6.sin6_addr.s6_addr),
                    ntohs(ipv6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace lwt
