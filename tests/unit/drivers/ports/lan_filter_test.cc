// The filter runs in the kernel, on a pair of local datagram sockets.
#include "drivers/ports/lan_filter.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "tests/unit/drivers/net_lab.h"
#include "tests/unit/drivers/ports/attached_filter.h"

namespace lwt {
namespace {

class LanFilter : public AttachedFilter {
 public:
  explicit LanFilter(const RoutedSet& set)
      : AttachedFilter(BuildLanFilter(set)) {}
};

// A frame to `destination` in an Ethernet header of that type.
Bytes FrameTo(std::string_view destination, int type = 0) {
  const IpAddress address = ParseIpAddress(destination).value();
  const bool ipv4 = address.family == Family::kIpv4;
  if (type == 0) type = ipv4 ? ETH_P_IP : ETH_P_IPV6;
  Bytes frame(ipv4 ? 14 + 16 : 14 + 24, 1);
  frame[12] = static_cast<uint8_t>(type >> 8);
  frame[13] = static_cast<uint8_t>(type);
  frame.insert(frame.end(), address.bytes.begin(),
               address.bytes.begin() + static_cast<long>(address.size()));
  frame.resize(80, 3);
  return frame;
}

RoutedSet Example() {
  RoutedSet set;
  for (const char* text : {"10.0.0.0/24", "192.168.128.0/17", "172.16.5.4/32",
                           "fd11::/64", "fd07:1:2:3:8000::/65"}) {
    set.networks.push_back(*ParseIpPrefix(text));
  }
  for (const char* text : {"10.0.0.1", "fd11::1"}) {
    set.kept.push_back(*ParseIpAddress(text));
  }
  return set;
}

TEST(LanFilterTest, TakesWhatLeadsToPeers) {
  LanFilter filter(Example());
  for (const char* text :
       {"10.0.0.2", "10.0.0.255", "192.168.128.1", "192.168.255.254",
        "172.16.5.4", "fd11::2", "fd11:0:0:0:ffff::1", "fd07:1:2:3:8000::1",
        "fd07:1:2:3:ffff::1"}) {
    EXPECT_TRUE(filter.Accepts(FrameTo(text))) << text;
  }
}

TEST(LanFilterTest, LeavesTheRestToTheKernel) {
  LanFilter filter(Example());
  for (const char* text :
       {"10.0.1.2", "10.0.0.1", "192.168.127.255", "192.168.0.1", "172.16.5.5",
        "224.0.0.1", "255.255.255.255", "fd11::1", "fd11:0:0:1::1",
        "fd07:1:2:3:7fff::1", "fd07:1:2:2:8000::1", "ff02::1"}) {
    EXPECT_FALSE(filter.Accepts(FrameTo(text))) << text;
  }
  EXPECT_FALSE(filter.Accepts(FrameTo("10.0.0.2", ETH_P_ARP)));
  EXPECT_FALSE(filter.Accepts(FrameTo("10.0.0.2", ETH_P_8021Q)));
  EXPECT_FALSE(filter.Accepts(FrameTo("10.0.0.2", ETH_P_IPV6)));
  EXPECT_FALSE(filter.Accepts(Bytes(20, 2)));
}

TEST(LanFilterTest, TakesManyNetworksUpToTheKernelsLimit) {
  RoutedSet set;
  for (int i = 0; i < 500; ++i) {
    IpPrefix prefix = *ParseIpPrefix("10.0.0.0/24");
    prefix.address.bytes[1] = static_cast<uint8_t>(i >> 8);
    prefix.address.bytes[2] = static_cast<uint8_t>(i);
    set.networks.push_back(prefix);
  }
  LanFilter filter(set);
  EXPECT_TRUE(filter.Accepts(FrameTo("10.1.200.7")));
  EXPECT_FALSE(filter.Accepts(FrameTo("10.2.200.7")));
  const std::vector<IpPrefix> again = set.networks;
  set.networks.insert(set.networks.end(), again.begin(), again.end());
  EXPECT_EQ(BuildLanFilter(set).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace lwt
