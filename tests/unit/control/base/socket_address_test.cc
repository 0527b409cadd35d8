#include "control/base/socket_address.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace lwt {
namespace {

TEST(SocketAddressTest, GivesBackWhatItWasMadeOf) {
  for (const char* text : {"192.0.2.1:9000", "[2001:db8::1]:443"}) {
    const Endpoint endpoint = *ParseEndpoint(text);
    const SocketAddress address(endpoint);
    EXPECT_EQ(address.endpoint(), endpoint);
    EXPECT_EQ(address.family(),
              endpoint.address.family == Family::kIpv4 ? AF_INET : AF_INET6);
  }
  EXPECT_FALSE(SocketAddress().endpoint());
}

// As the kernel reads it, and fills it.
TEST(SocketAddressTest, TheKernelAgrees) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  const SocketAddress any(*ParseEndpoint("127.0.0.1:0"));
  ASSERT_EQ(bind(fd, any.get(), any.size), 0);
  SocketAddress bound;
  ASSERT_EQ(getsockname(fd, bound.get(), &bound.size), 0);
  ASSERT_TRUE(bound.endpoint());
  EXPECT_EQ(ToString(bound.endpoint()->address), "127.0.0.1");
  EXPECT_NE(bound.endpoint()->port, 0);
  close(fd);
}

}  // namespace
}  // namespace lwt
