// The socket that pages are asked for at. It listens before the process gives
// up what it needs for that.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/config/config.h"
#include "control/host/instance/control_socket.h"
#include "drivers/scoped_fd.h"

namespace lwt::web {

class Listener {
 public:
  // At `place`, which is configured. The error says what to change.
  static absl::StatusOr<Listener> Listen(const config::MetricsPlace& place);

  int fd() const { return port_ ? port_->get() : socket_->fd(); }

 private:
  Listener() = default;

  std::optional<ScopedFd> port_;  // or:
  std::optional<host::ControlSocket> socket_;
};

}  // namespace lwt::web
