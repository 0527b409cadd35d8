// Endpoints as the kernel's sockets take and give them.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "drivers/ip_endpoint.h"

namespace lwt {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  SocketAddress() = default;  // room for the kernel to fill
  explicit SocketAddress(const Endpoint& endpoint);

  int family() const { return storage.ss_family; }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  // Empty for another family than IPv4 and IPv6.
  std::optional<Endpoint> endpoint() const;
};

}  // namespace lwt
