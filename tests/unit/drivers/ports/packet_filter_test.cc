// The filter runs in the kernel, on a pair of local datagram sockets.
#include "drivers/ports/packet_filter.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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
  for (uint16_t i = 0; i < 2000; ++i) {
    endpoints.push_back({kIpv4End.address, static_cast<uint16_t>(20000 + i)});
  }
  EXPECT_EQ(BuildPacketFilter(14, endpoints).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// The frame that `packet` is with another destination.
Bytes Towards(const IpAddress& address) {
  const bool ipv4 = address.family == Family::kIpv4;
  Bytes packet = ipv4 ? TcpIpv4(9000, 10) : TcpIpv6(9000, 10);
  std::copy_n(address.bytes.begin(), address.size(),
              packet.begin() + (ipv4 ? 16 : 24));
  return Framed({static_cast<uint16_t>(ipv4 ? ETH_P_IP : ETH_P_IPV6)}, packet);
}

// The n-th of a host's addresses, all `step` apart.
IpAddress Own(Family family, uint32_t n, uint32_t step) {
  IpAddress address = family == Family::kIpv4 ? *ParseIpAddress("10.0.0.0")
                                              : *ParseIpAddress("fd01:2:3::");
  uint8_t* last = address.bytes.data() + address.size() - 4;
  const uint32_t number = n * step;
  for (int i = 0; i < 4; ++i) {
    last[i] = static_cast<uint8_t>(last[i] + (number >> (24 - 8 * i)));
  }
  return address;
}

class ManyAddresses : public testing::TestWithParam<Family> {};

TEST_P(ManyAddresses, AreTakenAndTheirNeighboursLeft) {
  constexpr uint32_t kAddresses = 2000;
  for (const uint32_t step : {1u, 3u, 65537u}) {
    std::vector<Endpoint> endpoints;
    for (uint32_t i = 0; i < kAddresses; ++i) {
      endpoints.push_back({Own(GetParam(), i, step), 9000});
    }
    PacketFilter filter(14, endpoints);
    for (uint32_t i = 0; i < kAddresses; i += 7) {
      EXPECT_TRUE(filter.Accepts(Towards(Own(GetParam(), i, step))));
      if (step == 1) continue;
      EXPECT_FALSE(filter.Accepts(Towards(Own(GetParam(), i * step + 1, 1))));
    }
    EXPECT_FALSE(
        filter.Accepts(Towards(Own(GetParam(), kAddresses * step, 1))));
    IpAddress elsewhere = endpoints.front().address;
    elsewhere.bytes[1] ^= 0x40;
    EXPECT_FALSE(filter.Accepts(Towards(elsewhere)));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ManyAddresses,
                         testing::Values(Family::kIpv4, Family::kIpv6),
                         [](const auto& which) {
                           return which.param == Family::kIpv4 ? "Ipv4"
                                                               : "Ipv6";
                         });

TEST(PacketFilterTest, TakesAllOfMoreAddressesThanFit) {
  std::vector<Endpoint> endpoints;
  for (uint32_t i = 0; i < 6000; ++i) {
    endpoints.push_back({Own(Family::kIpv4, i, 257 + i % 5), 9000});
  }
  PacketFilter filter(14, endpoints);
  for (size_t i = 0; i < endpoints.size(); i += 11) {
    EXPECT_TRUE(filter.Accepts(Towards(endpoints[i].address))) << i;
  }
  EXPECT_FALSE(filter.Accepts(Towards(*ParseIpAddress("9.255.255.255"))));
}

TEST(PacketFilterTest, NoEndpointsTakeNothing) {
  PacketFilter filter(14, {});
  EXPECT_FALSE(filter.Accepts(Framed({ETH_P_IP}, TcpIpv4(9000, 10))));
}

}  // namespace
}  // namespace lwt
