#include "control/web/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "control/base/socket_address.h"

namespace lwt::web {
namespace {

constexpr int kBacklog = 16;
// Of the group too, so that a server in front of it can be let in.
constexpr host::SocketKind kMetricsSocket{"socket of metrics.listen", 0660};

absl::StatusOr<ScopedFd> ListenAt(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  ScopedFd fd(
      socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  const bool made =
      fd.get() >= 0 &&
      setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
      (endpoint.address.family == Family::kIpv4 ||
       setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
  if (made && bind(fd.get(), address.get(), address.size) == 0 &&
      listen(fd.get(), kBacklog) == 0) {
    return fd;
  }
  return absl::ErrnoToStatus(
      errno,
      absl::StrCat("cannot listen at metrics.listen ", ToString(endpoint)));
}

}  // namespace

absl::StatusOr<Listener> Listener::Listen(const config::MetricsPlace& place) {
  Listener listener;
  if (place.endpoint) {
    absl::StatusOr<ScopedFd> port = ListenAt(*place.endpoint);
    if (!port.ok()) return port.status();
    listener.port_.emplace(*std::move(port));
    return listener;
  }
  absl::StatusOr<host::ControlSocket> socket =
      host::ControlSocket::Listen(place.socket, kMetricsSocket);
  if (!socket.ok()) return socket.status();
  listener.socket_.emplace(*std::move(socket));
  return listener;
}

}  // namespace lwt::web
