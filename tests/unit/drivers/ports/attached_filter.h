// A socket filter at work in the kernel, on a pair of local datagram sockets.
#pragma once

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {

class AttachedFilter {
 public:
  explicit AttachedFilter(absl::StatusOr<std::vector<sock_filter>> program) {
    EXPECT_TRUE(program.ok());
    const sock_fprog filter = {static_cast<unsigned short>(program->size()),
                               program->data()};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends_), 0);
    EXPECT_EQ(setsockopt(ends_[1], SOL_SOCKET, SO_ATTACH_FILTER, &filter,
                         sizeof(filter)),
              0)
        << std::strerror(errno);
  }
  AttachedFilter(const AttachedFilter&) = delete;
  AttachedFilter& operator=(const AttachedFilter&) = delete;
  ~AttachedFilter() {
    close(ends_[0]);
    close(ends_[1]);
  }

  bool Accepts(const Bytes& frame) {
    EXPECT_EQ(send(ends_[0], frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
    uint8_t buffer[4096];
    return recv(ends_[1], buffer, sizeof(buffer), MSG_DONTWAIT) ==
           static_cast<ssize_t>(frame.size());
  }

 private:
  int ends_[2];
};

}  // namespace lwt
