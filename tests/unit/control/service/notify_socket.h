// The socket at which a service manager listens, with what was said there.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "tests/unit/control/service/scoped_variable.h"

namespace lwt::service {

class NotifySocket {
 public:
  NotifySocket() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    // The kernel chooses a name in the abstract namespace (unix(7)).
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof(address);
    EXPECT_EQ(
        bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)),
        0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size),
              0);
    variable_.emplace("NOTIFY_SOCKET",
                      "@" + std::string(address.sun_path + 1,
                                        size - sizeof(sa_family_t) - 1));
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket() { close(fd_); }

  // The next message; empty when there is none.
  std::string Next() {
    char text[1024];
    const ssize_t size = recv(fd_, text, sizeof(text), 0);
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
  }

 private:
  const int fd_;
  std::optional<ScopedVariable> variable_;
};

}  // namespace lwt::service
