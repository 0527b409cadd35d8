// What routers say of our segments, heard beside the kernel at one interface:
// which packets reach control at all.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <vector>

#include "control/host/net/too_big_socket.h"
#include "tests/unit/control/host/net/too_big_packets.h"

namespace lwt::host {
namespace {

class TooBigSocketTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    const InNetns in(left_);
    auto heard = TooBigSocket::Open(static_cast<int>(if_nametoindex("wire")));
    ASSERT_TRUE(heard.ok()) << heard.status();
    socket_.emplace(*std::move(heard));
  }

  void Send(const Packet& packet, const MacAddress& to = kHere) {
    const InNetns in(right_);
    SendOnWire(packet, to);
  }
  // What was heard until a good error of IPv4, sent last, is heard too.
  std::vector<wire::TooBig> HeardBeforeTheLast() {
    Send(Ipv4Error());
    std::vector<wire::TooBig> heard;
    const Endpoint last = At("198.51.100.7:443");
    for (int look = 0; look < 100; ++look) {
      for (const wire::TooBig& each : socket_->Drain()) heard.push_back(each);
      if (!heard.empty() && heard.back().remote == last) {
        heard.pop_back();
        return heard;
      }
      pollfd ready{socket_->fds()[0], POLLIN, 0};
      poll(&ready, 1, 100);
    }
    ADD_FAILURE() << "the last one is not heard";
    return heard;
  }

  std::optional<TooBigSocket> socket_;
};

TEST_F(TooBigSocketTest, AnErrorIsHeardWithAllThatItQuotes) {
  Send(Ipv4Error());
  pollfd ready{socket_->fds()[0], POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 5000), 1);
  const auto heard = socket_->Drain();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].local, At("10.77.0.1:9000"));
  EXPECT_EQ(heard[0].remote, At("198.51.100.7:443"));
  EXPECT_EQ(heard[0].sequence, 0x01020304u);
  EXPECT_EQ(heard[0].length, 1500u);
  EXPECT_EQ(heard[0].mtu, 1400);
  EXPECT_TRUE(socket_->Drain().empty());
}

TEST_F(TooBigSocketTest, SoIsOneOfIpv6) {
  Send(Ipv6Error());
  pollfd ready{socket_->fds()[1], POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 5000), 1);
  const auto heard = socket_->Drain();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].local, At("[fd77::1]:9000"));
  EXPECT_EQ(heard[0].remote, At("[2001:db8::7]:443"));
  EXPECT_EQ(heard[0].length, 1500u);
  EXPECT_EQ(heard[0].mtu, 1400);
}

TEST_F(TooBigSocketTest, OptionsOfTheRoutersHeaderAreSteppedOver) {
  for (const size_t options : {4u, 8u, 40u}) {
    Packet packet = Ipv4Error(options);
    Send(packet);
    EXPECT_EQ(HeardBeforeTheLast().size(), 1u) << options;
  }
}

// The kernel's filter leaves control alone with all that is no such error.
TEST_F(TooBigSocketTest, WhatElseComesDoesNotWakeControl) {
  using Bend = std::function<void(Packet&)>;
  constexpr size_t kIcmp = wire::kIpv4HeaderSize;
  constexpr size_t kQuote = kIcmp + wire::kIcmpHeaderSize;
  const std::pair<const char*, Bend> rows[] = {
      {"another protocol", [](Packet& p) { p[9] = wire::kProtocolTcp; }},
      {"port unreachable", [](Packet& p) { p[kIcmp + 1] = 3; }},
      {"time exceeded", [](Packet& p) { p[kIcmp] = 11; }},
      {"of UDP", [](Packet& p) { p[kQuote + 9] = wire::kProtocolUdp; }},
      {"cut before the quote's protocol",
       [](Packet& p) { p.resize(kQuote + 9); }},
  };
  for (const auto& [name, bend] : rows) {
    Packet packet = Ipv4Error();
    bend(packet);
    Send(packet);
    EXPECT_TRUE(HeardBeforeTheLast().empty()) << name;
  }
  Packet reply = Ipv6Error();
  reply[wire::kIpv6HeaderSize] = 129;
  Send(reply);
  pollfd ready{socket_->fds()[1], POLLIN, 0};
  EXPECT_TRUE(HeardBeforeTheLast().empty());
  EXPECT_EQ(poll(&ready, 1, 0), 0) << "of IPv6";
}

// A switch floods, and a bridge's other hosts hear it.
TEST_F(TooBigSocketTest, WhatIsForAnotherHostIsNotOurs) {
  {
    const InNetns in(left_);
    Shell("ip link set wire promisc on");
  }
  Send(Ipv4Error(), {2, 0, 0, 0, 0, 9});
  EXPECT_TRUE(HeardBeforeTheLast().empty());
}

// It passes the filter, which knows no checksum.
TEST_F(TooBigSocketTest, AForgeryThatIsBrokenTellsNothing) {
  for (size_t at = wire::kIpv4HeaderSize + 4; at < Ipv4Error().size(); ++at) {
    Packet packet = Ipv4Error();
    packet[at] ^= 0x40;
    Send(packet);
  }
  EXPECT_TRUE(HeardBeforeTheLast().empty());
}

TEST_F(TooBigSocketTest, AFloodIsTakenInPieces) {
  constexpr size_t kSent = 3 * TooBigSocket::kMost / 2;
  for (size_t i = 0; i < kSent; ++i) Send(Ipv4Error());
  pollfd ready{socket_->fds()[0], POLLIN, 0};
  size_t heard = 0;
  while (heard < kSent) {
    ASSERT_EQ(poll(&ready, 1, 5000), 1) << "more wakes again";
    const size_t piece = socket_->Drain().size();
    EXPECT_LE(piece, size_t{TooBigSocket::kMost});
    EXPECT_GT(piece, 0u);
    heard += piece;
  }
  EXPECT_EQ(heard, kSent);
}

TEST_F(TooBigSocketTest, WithoutAnInterfaceThereIsNothingToHear) {
  const InNetns in(left_);
  const auto none = TooBigSocket::Open(99999);
  EXPECT_FALSE(none.ok());
  EXPECT_NE(none.status().message().find("what routers say"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace lwt::host
