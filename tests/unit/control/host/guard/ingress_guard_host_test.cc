#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "control/host/guard/ingress_guard.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

// A connection attempt whose outcome is asked later.
class Attempt {
 public:
  explicit Attempt(const Endpoint& to) {
    const bool ipv6 = to.address.family == Family::kIpv6;
    fd_ = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(to.port);
    std::memcpy(&v4.sin_addr, to.address.bytes.data(), 4);
    std::memcpy(&v6.sin6_addr, to.address.bytes.data(), 16);
    const auto* address = ipv6 ? reinterpret_cast<const sockaddr*>(&v6)
                               : reinterpret_cast<const sockaddr*>(&v4);
    const int result = connect(fd_, address, ipv6 ? sizeof(v6) : sizeof(v4));
    EXPECT_TRUE(result == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
    refused_ = result != 0 && errno == ECONNREFUSED;
  }
  ~Attempt() { close(fd_); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  // Waits at most `timeout_ms` for the RST.
  bool Refused(int timeout_ms) {
    if (refused_) return true;
    pollfd waited{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&waited, 1, timeout_ms) != 1) return false;
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    return error == ECONNREFUSED;
  }

 private:
  int fd_;
  bool refused_ = false;
};

std::unique_ptr<IngressGuard> OpenGuard(std::string_view device) {
  auto guard = IngressGuard::Open(device);
  EXPECT_TRUE(guard.ok()) << guard.status();
  return *std::move(guard);
}

class IngressGuardTest : public TwoHosts {
 protected:
  // Asks from the right host. The wire keeps the order, so the answer of a
  // port that nobody guards shows that none comes for `to`.
  bool IsGuarded(const Endpoint& to) {
    const InNetns in(right_);
    Attempt guarded(to);
    Attempt open(Endpoint{to.address, 7});
    EXPECT_TRUE(open.Refused(10'000));
    return !guarded.Refused(0);
  }
};

TEST_F(IngressGuardTest, KeepsTheKernelSilentOnOurPortsOnly) {
  const InNetns in(left_);
  const Endpoint v4 = At("10.77.0.1:9000");
  const Endpoint v6 = At("[fd77::1]:9000");
  EXPECT_FALSE(IsGuarded(v4));
  const auto guard = OpenGuard("wire");
  EXPECT_FALSE(IsGuarded(v4));
  ASSERT_TRUE(guard->SetEndpoints(std::vector{v4, v6}).ok());
  EXPECT_TRUE(IsGuarded(v4));
  EXPECT_TRUE(IsGuarded(v6));
  EXPECT_FALSE(IsGuarded(At("10.77.0.1:9001")));
}

TEST_F(IngressGuardTest, EndpointsChangeAtRunTime) {
  const InNetns in(left_);
  const Endpoint first = At("10.77.0.1:9000");
  const Endpoint second = At("10.77.0.1:9001");
  const auto guard = OpenGuard("wire");
  ASSERT_TRUE(guard->SetEndpoints(std::vector{first}).ok());
  ASSERT_TRUE(guard->SetEndpoints(std::vector{first, second}).ok());
  EXPECT_TRUE(IsGuarded(first));
  EXPECT_TRUE(IsGuarded(second));
  ASSERT_TRUE(guard->SetEndpoints(std::vector{second}).ok());
  EXPECT_FALSE(IsGuarded(first));
  EXPECT_TRUE(IsGuarded(second));
  ASSERT_TRUE(guard->SetEndpoints({}).ok());
  EXPECT_FALSE(IsGuarded(second));
}

TEST_F(IngressGuardTest, TheTableGoesWithTheGuard) {
  const InNetns in(left_);
  {
    const auto guard = OpenGuard("wire");
    EXPECT_EQ(guard->table(), "lwt_" + std::to_string(getpid()));
    EXPECT_NE(OutputOf("nft list tables").find(guard->table()),
              std::string::npos);
  }
  EXPECT_EQ(OutputOf("nft list tables"), "");
}

TEST_F(IngressGuardTest, TwoGuardsOfOneProcessCoexist) {
  const InNetns in(left_);
  const auto first = OpenGuard("wire");
  const auto second = OpenGuard("wire");
  EXPECT_NE(first->table(), second->table());
}

TEST_F(IngressGuardTest, SurvivesAnothersFlushOfTheRuleset) {
  const InNetns in(left_);
  const Endpoint endpoint = At("10.77.0.1:9000");
  const auto guard = OpenGuard("wire");
  ASSERT_TRUE(guard->SetEndpoints(std::vector{endpoint}).ok());
  Shell("nft add table inet anothers && nft flush ruleset");
  EXPECT_TRUE(IsGuarded(endpoint));
  EXPECT_TRUE(guard->SetEndpoints(std::vector{endpoint}).ok());
}

TEST_F(IngressGuardTest, TheTableDiesWithAKilledProcess) {
  const InNetns in(left_);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto guard = IngressGuard::Open("wire");
    const char byte = guard.ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  EXPECT_NE(OutputOf("nft list tables"), "");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  std::string tables = "unknown";
  for (int look = 0; look < 100 && !tables.empty(); ++look) {
    tables = OutputOf("nft list tables");
  }
  EXPECT_EQ(tables, "");
}

TEST_F(IngressGuardTest, WorksOnALinkWithoutHeader) {
  const InNetns in(left_);
  Shell("ip tuntap add dev plain mode tun && ip link set plain up");
  Shell("ip address add 10.88.0.1/24 dev plain");
  const auto guard = OpenGuard("plain");
  EXPECT_TRUE(guard->SetEndpoints(std::vector{At("10.88.0.1:9000")}).ok());
  EXPECT_NE(OutputOf("nft list ruleset").find("10.88.0.1 . 9000"),
            std::string::npos);
}

TEST_F(IngressGuardTest, AMissingDeviceIsAnError) {
  const InNetns in(left_);
  const auto missing = IngressGuard::Open("nosuch");
  EXPECT_FALSE(missing.ok());
  EXPECT_NE(missing.status().message().find("nosuch"), absl::string_view::npos);
  EXPECT_FALSE(IngressGuard::Open("a\" ; b").ok());
  EXPECT_FALSE(IngressGuard::Open("").ok());
  EXPECT_EQ(OutputOf("nft list tables"), "");
}

}  // namespace
}  // namespace lwt::host
