#include <absl/strings/match.h>
#include <sys/socket.h>

#include "control/host/guard/port_owner.h"
#include "control/host/guard/port_reservation.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

class PortReservationTest : public testing::Test {
 private:
  const Netns netns_;
  const InNetns in_{netns_};
};

TEST_F(PortReservationTest, TheKernelPicksAFreePort) {
  for (const auto* any : {"0.0.0.0:0", "[::]:0"}) {
    const auto first = PortReservation::Hold(At(any));
    const auto second = PortReservation::Hold(At(any));
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_TRUE(second.ok()) << second.status();
    EXPECT_GE(first->endpoint().port, 1024);
    EXPECT_NE(first->endpoint().port, second->endpoint().port);
    EXPECT_EQ(first->endpoint().address, At(any).address);
  }
}

TEST_F(PortReservationTest, AHeldPortIsRefusedNamingItsOwner) {
  const auto held = PortReservation::Hold(At("0.0.0.0:9000"));
  ASSERT_TRUE(held.ok()) << held.status();
  const auto again = PortReservation::Hold(At("127.0.0.1:9000"));
  ASSERT_TRUE(absl::IsAlreadyExists(again.status())) << again.status();
  EXPECT_NE(again.status().message().find("9000"), absl::string_view::npos);
}

TEST_F(PortReservationTest, AListenerIsNamed) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(listen(fd, 1), 0);  // binds to a port of the kernel's choice
  const std::string text = OutputOf("cat /proc/thread-self/net/tcp");
  const size_t at = text.find("00000000:", text.find('\n'));
  ASSERT_NE(at, std::string::npos);
  const auto port = static_cast<uint16_t>(
      strtoul(text.substr(at + 9, 4).c_str(), nullptr, 16));
  const auto taken =
      PortReservation::Hold(Endpoint{IpAddress::Any(Family::kIpv4), port});
  close(fd);
  ASSERT_TRUE(absl::IsAlreadyExists(taken.status())) << taken.status();
  EXPECT_NE(
      taken.status().message().find("(pid " + std::to_string(getpid()) + ")"),
      absl::string_view::npos)
      << taken.status();
}

// Who has a few thousand ports to choose from does not ask about each.
TEST_F(PortReservationTest, WhoTakesTheNextOneAsksForNoName) {
  const auto held = PortReservation::HoldIfFree(At("127.0.0.1:9000"));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->endpoint(), At("127.0.0.1:9000"));
  const auto again = PortReservation::HoldIfFree(At("127.0.0.1:9000"));
  EXPECT_TRUE(absl::IsAlreadyExists(again.status())) << again.status();
  EXPECT_EQ(again.status().message(),
            "cannot take TCP port 127.0.0.1:9000: it is in use");
  const auto named = PortReservation::Hold(At("127.0.0.1:9000"));
  EXPECT_TRUE(absl::IsAlreadyExists(named.status())) << named.status();
  EXPECT_TRUE(absl::StartsWith(named.status().message(),
                               "cannot take TCP port 127.0.0.1:9000: it is in "
                               "use by "))
      << named.status();
}

TEST_F(PortReservationTest, FamiliesAreSeparate) {
  const auto v4 = PortReservation::Hold(At("0.0.0.0:9000"));
  const auto v6 = PortReservation::Hold(At("[::]:9000"));
  EXPECT_TRUE(v4.ok()) << v4.status();
  EXPECT_TRUE(v6.ok()) << v6.status();
}

TEST_F(PortReservationTest, ThePortIsFreeAfterwardsAndMovesWithTheObject) {
  {
    auto held = PortReservation::Hold(At("127.0.0.1:9000"));
    ASSERT_TRUE(held.ok());
    const PortReservation moved = *std::move(held);
    EXPECT_FALSE(PortReservation::Hold(At("127.0.0.1:9000")).ok());
  }
  EXPECT_TRUE(PortReservation::Hold(At("127.0.0.1:9000")).ok());
}

TEST_F(PortReservationTest, AForeignAddressIsRefused) {
  const auto held = PortReservation::Hold(At("192.0.2.1:9000"));
  EXPECT_TRUE(absl::IsNotFound(held.status())) << held.status();
}

TEST_F(PortReservationTest, NobodyHasAFreePort) {
  EXPECT_EQ(OwnerOfPort(9000), std::nullopt);
}

}  // namespace
}  // namespace lwt::host
