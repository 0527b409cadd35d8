// The filter runs in the kernel, on a pair of local datagram sockets.
#include "drivers/ports/packet_filter.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "tests/unit/drivers/net_lab.h"
#include "tests/unit/drivers/ports/attached_filter.h"

namespace lwt {
namespace {

class PacketFilter : public AttachedFilter {
 public:
  PacketFilter(uint8_t link_header_size, const std::vector<Endpoint>& endpoints)
      : AttachedFilter(BuildPacketFilter(link_header_size, endpoints)) {}
};

Bytes Framed(std::vector<uint16_t> types, const Bytes& packet) {
  Bytes frame(12, 2);
  for (const uint16_t type : types) {
    frame.push_back(static_cast<uint8_t>(type >> 8));
    frame.push_back(static_cast<uint8_t>(type));
  }
  frame.insert(frame.end(), packet.begin(), packet.end());
  return frame;
}

TEST(PacketFilterTest, TakesOurTcpSegmentsOfBothFamilies) {
  PacketFilter filter(14, {kIpv4End, kIpv6End});
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9000, 10))));
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IPV6}, TcpIpv6(9000, 10))));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9001, 10))));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IPV6}, TcpIpv6(9001, 10))));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_ARP}, TcpIpv4(9000, 10))));
}

TEST(PacketFilterTest, LooksThroughOneVlanTag) {
  PacketFilter filter(14, {kIpv4End, kIpv6End});
  EXPECT_TRUE(
      filter.Accepts(Framed({ETH_P_8021Q, 5, ETH_P_IP}, TcpIpv4(9000, 10))));
  EXPECT_TRUE(
      filter.Accepts(Framed({ETH_P_8021Q, 5, ETH_P_IPV6}, TcpIpv6(9000, 10))));
  EXPECT_FALSE(
      filter.Accepts(Framed({ETH_P_8021Q, 5, ETH_P_IP}, TcpIpv4(9001, 10))));
  EXPECT_FALSE(filter.Accepts(
      Framed({ETH_P_8021Q, 5, ETH_P_8021Q, 6, ETH_P_IP}, TcpIpv4(9000, 10))));
}

TEST(PacketFilterTest, TakesPlainIpWithoutLinkHeader) {
  PacketFilter filter(0, {kIpv4End, kIpv6End});
  EXPECT_TRUE(filter.Accepts(TcpIpv4(9000, 10)));
  EXPECT_TRUE(filter.Accepts(TcpIpv6(9000, 10)));
  EXPECT_FALSE(filter.Accepts(TcpIpv4(9001, 10)));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9000, 10))));
}

TEST(PacketFilterTest, DistinguishesAddresses) {
  PacketFilter filter(
      14, {*ParseEndpoint("10.1.0.7:9000"), *ParseEndpoint("10.1.0.1:9100"),
           *ParseEndpoint("[fd01::7]:9000"), *ParseEndpoint("[fd01::1]:9100")});
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9000, 10))));
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9100, 10))));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IPV6}, TcpIpv6(9000, 10))));
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IPV6}, TcpIpv6(9100, 10))));
}

TEST(PacketFilterTest, LeavesFragmentsAndOtherProtocols) {
  PacketFilter filter(0, {kIpv4End, kIpv6End});
  Bytes packet = TcpIpv4(9000, 10);
  packet[6] = 0x20;  // more fragments
  EXPECT_FALSE(filter.Accepts(packet));
  packet[6] = 0x00;
  packet[7] = 0x01;  // an offset
  EXPECT_FALSE(filter.Accepts(packet));
  packet = TcpIpv4(9000, 10);
  packet[9] = 17;
  EXPECT_FALSE(filter.Accepts(packet));
  packet = TcpIpv6(9000, 10);
  packet[6] = 44;  // a fragment header
  EXPECT_FALSE(filter.Accepts(packet));
}

TEST(PacketFilterTest, FindsThePortBehindIpv4Options) {
  PacketFilter filter(0, {kIpv4End});
  Bytes packet = TcpIpv4(9000, 10);
  packet[0] = 0x46;
  packet.insert(packet.begin() + 20, 4, 1);
  EXPECT_TRUE(filter.Accepts(packet));
}

TEST(PacketFilterTest, RefusesEveryTruncation) {
  PacketFilter filter(14, {kIpv4End, kIpv6End});
  const Bytes ipv4 = Framed({ETH_P_IP}, TcpIpv4(9000, 0));
  for (size_t size = 0; size < 14 + 20 + 4; ++size) {
    EXPECT_FALSE(filter.Accepts(Bytes(
                     ipv4.begin(), ipv4.begin() + static_cast<long>(size))) &&
                 size > 0);
  }
}

TEST(PacketFilterTest, TakesManyEndpointsAndRefusesTooMany) {
  std::vector<Endpoint> endpoints;
  for (uint16_t i = 0; i < 200; ++i) {
    endpoints.push_back({kIpv4End.address, static_cast<uint16_t>(9000 + i)});
    endpoints.push_back({kIpv6End.address, static_cast<uint16_t>(9000 + i)});
  }
  PacketFilter filter(14, endpoints);
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9199, 1))));
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9200, 1))));
  EXPECT_TRUE(filter.Accepts(Framed({ETH_P_IPV6}, TcpIpv6(9199, 1))));
  endpoints.resize(4000, kIpv4End);
  EXPECT_EQ(BuildPacketFilter(14, endpoints).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(PacketFilterTest, NoEndpointsTakeNothing) {
  PacketFilter filter(14, {});
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9000, 10))));
}

}  // namespace
}  // namespace lwt
