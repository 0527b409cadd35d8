#include "control/web/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace lwt::web {
namespace {

uint16_t PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.ss_family == AF_INET
                   ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                   : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
}

TEST(ListenerTest, ListensAtBothFamiliesOfOnePort) {
  config::MetricsPlace place;
  place.endpoint = ParseEndpoint("127.0.0.1:0");
  const auto one = Listener::Listen(place);
  ASSERT_TRUE(one.ok()) << one.status();
  place.endpoint = Endpoint{*ParseIpAddress("::1"), PortOf(one->fd())};
  const auto other = Listener::Listen(place);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(PortOf(other->fd()), place.endpoint->port);
}

TEST(ListenerTest, APortThatIsTakenIsNamedWithItsSetting) {
  config::MetricsPlace place;
  place.endpoint = ParseEndpoint("127.0.0.1:0");
  const auto one = Listener::Listen(place);
  ASSERT_TRUE(one.ok());
  place.endpoint->port = PortOf(one->fd());
  const auto second = Listener::Listen(place);
  EXPECT_EQ(second.status().message(), "cannot listen at metrics.listen " +
                                           ToString(*place.endpoint) +
                                           ": Address already in use");
}

TEST(ListenerTest, ASocketIsForTheGroupTooAndGoesWithItsListener) {
  std::string name = testing::TempDir() + "listener-XXXXXX";
  const std::string folder = mkdtemp(name.data());
  const config::MetricsPlace place{.socket = folder + "/metrics.sock"};
  const mode_t mask = umask(0077);
  {
    const auto listener = Listener::Listen(place);
    ASSERT_TRUE(listener.ok()) << listener.status();
    struct stat status;
    ASSERT_EQ(stat(place.socket.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, mode_t{0660});
    const auto second = Listener::Listen(place);
    EXPECT_NE(second.status().message().find("listens at the socket of "
                                             "metrics.listen " +
                                             place.socket),
              std::string::npos)
        << second.status();
  }
  EXPECT_FALSE(std::filesystem::exists(place.socket));
  umask(mask);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace lwt::web
