#include "control/host/guard/port_reservation.h"

#include <absl/strings/str_cat.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "control/base/socket_address.h"
#include "control/host/guard/port_owner.h"

namespace lwt::host {
namespace {

absl::Status BindError(const Endpoint& endpoint, int error) {
  const std::string what =
      absl::StrCat("cannot take TCP port ", ToString(endpoint));
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat(what, ": it is in use"));
    case EADDRNOTAVAIL:
      return absl::NotFoundError(
          absl::StrCat(what,
                       ": this host does not have the address; `ip "
                       "address` lists those it has"));
    case EACCES:
      return absl::PermissionDeniedError(absl::StrCat(
          what, ": ports below 1024 need root or CAP_NET_BIND_SERVICE"));
    default:
      return absl::ErrnoToStatus(error, what);
  }
}

}  // namespace

absl::StatusOr<PortReservation> PortReservation::Hold(const Endpoint& endpoint,
                                                      bool may_come) {
  absl::StatusOr<PortReservation> held = HoldIfFree(endpoint, may_come);
  if (!absl::IsAlreadyExists(held.status())) return held;
  return absl::AlreadyExistsError(absl::StrCat(
      "cannot take TCP port ", ToString(endpoint), ": it is in use by ",
      OwnerOfPort(endpoint.port)
          .value_or("another program, which /proc does not show"),
      "; stop that or choose another port"));
}

absl::StatusOr<PortReservation> PortReservation::HoldIfFree(
    const Endpoint& endpoint, bool may_come) {
  const bool ipv6 = endpoint.address.family == Family::kIpv6;
  const int fd =
      socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, ipv6 ? "cannot open an IPv6 TCP socket"
                                           : "cannot open an IPv4 TCP socket");
  }
  PortReservation reservation(fd, endpoint);
  const int on = 1;
  if (ipv6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  // ip(7): for IPv6 sockets as well.
  if (may_come) setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
  SocketAddress address(endpoint);
  if (bind(fd, address.get(), address.size) != 0) {
    return BindError(endpoint, errno);
  }
  if (getsockname(fd, address.get(), &address.size) != 0) {
    return absl::ErrnoToStatus(errno, "cannot read the port that was bound");
  }
  reservation.endpoint_.port = address.endpoint().value_or(endpoint).port;
  return reservation;
}

PortReservation::PortReservation(PortReservation&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), endpoint_(other.endpoint_) {}

PortReservation& PortReservation::operator=(PortReservation&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(endpoint_, other.endpoint_);
  return *this;
}

PortReservation::~PortReservation() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace lwt::host
