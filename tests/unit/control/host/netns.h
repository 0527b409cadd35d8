// Network namespaces for tests: made nameless, gone with the last descriptor.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "drivers/ip_endpoint.h"
#include "tests/support/link_up.h"

namespace lwt::host {

inline IpAddress Ip(std::string_view text) {
  return ParseIpAddress(text).value();
}
inline Endpoint At(std::string_view text) {
  return ParseEndpoint(text).value();
}

inline int OpenCurrentNetns() {
  return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

// A namespace with its loopback up, whose links take IPv6 addresses without
// first asking for a second or more whether they are taken. The calling thread
// stays where it is.
class Netns {
 public:
  Netns() {
    const int home = OpenCurrentNetns();
    EXPECT_EQ(unshare(CLONE_NEWNET), 0) << "needs root";
    fd_ = OpenCurrentNetns();
    EXPECT_EQ(system("ip link set lo up && "
                     "sysctl -qw net.ipv6.conf.default.accept_dad=0"),
              0);
    EXPECT_EQ(setns(home, CLONE_NEWNET), 0);
    close(home);
  }
  ~Netns() { close(fd_); }
  Netns(const Netns&) = delete;
  Netns& operator=(const Netns&) = delete;

  int fd() const { return fd_; }
  // For `ip link set X netns`.
  std::string path() const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
  }

 private:
  int fd_;
};

// The calling thread is in `netns` while this lives.
class InNetns {
 public:
  explicit InNetns(const Netns& netns) : home_(OpenCurrentNetns()) {
    EXPECT_EQ(setns(netns.fd(), CLONE_NEWNET), 0);
  }
  ~InNetns() {
    EXPECT_EQ(setns(home_, CLONE_NEWNET), 0);
    close(home_);
  }
  InNetns(const InNetns&) = delete;
  InNetns& operator=(const InNetns&) = delete;

 private:
  const int home_;
};

inline void Shell(const std::string& command) {
  ASSERT_EQ(system(command.c_str()), 0) << command;
}

inline std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

inline void WaitUntilLinkIsUp(const std::string& name) {
  ASSERT_TRUE(test::LinkComesUp(name)) << name << " does not come up";
}

// Two hosts on one wire: 10.77.0.1 and fd77::1 on `left`, .2 and ::2 on
// `right`, each with the interface "wire".
class TwoHosts : public testing::Test {
 protected:
  void SetUp() override {
    {
      const InNetns in(left_);
      Shell(
          "ip link add wire address 02:00:00:00:00:01 type veth peer name "
          "wire address 02:00:00:00:00:02 netns " +
          right_.path());
      Shell("ip address add 10.77.0.1/24 dev wire");
      Shell("ip address add fd77::1/64 dev wire nodad");
      Shell("ip link set wire up");
    }
    {
      const InNetns in(right_);
      Shell("ip address add 10.77.0.2/24 dev wire");
      Shell("ip address add fd77::2/64 dev wire nodad");
      Shell("ip link set wire up");
      WaitUntilLinkIsUp("wire");
    }
    const InNetns in(left_);
    WaitUntilLinkIsUp("wire");
  }

  Netns left_;
  Netns right_;
};

}  // namespace lwt::host
