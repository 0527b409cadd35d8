#include "control/client/lease_rules.h"

#include <gtest/gtest.h>

namespace lwt::peer {
namespace {

std::string Against(std::vector<const char*> leased) {
  std::vector<IpPrefix> prefixes;
  for (const char* each : leased) prefixes.push_back(*ParseIpPrefix(each));
  const IpPrefix here[] = {*ParseIpPrefix("192.168.1.7/24"),
                           *ParseIpPrefix("fd11::7/64")};
  return AgainstLease(
      prefixes, *ParseIpAddress("203.0.113.1"),
      {.here = here,
       .routed = {*ParseIpPrefix("172.20.5.0/24"),
                  *ParseIpPrefix("172.21.0.9/32"), *ParseIpPrefix("fd20::/48"),
                  *ParseIpPrefix("172.16.0.0/12")}});
}

TEST(LeaseRulesTest, ATunnelsNetworkIsTaken) {
  EXPECT_EQ(Against({"10.0.0.7/24"}), "");
  EXPECT_EQ(Against({"10.0.0.7/8", "fd00::7/16"}), "");
  EXPECT_EQ(Against({"fd00::7/64"}), "");
}

// As with a configured address: what is in the tunnel's network would go
// elsewhere, in clear.
TEST(LeaseRulesTest, WhatARouteLeadsElsewhereIsNotTaken) {
  for (const char* leased : {"172.20.5.7/24", "172.20.0.7/16", "172.21.0.7/24",
                             "fd20::7/48", "fd20::7/32", "172.16.0.7/12"}) {
    EXPECT_NE(Against({leased}).find("which a route of this host leads"),
              std::string::npos)
        << leased << ": " << Against({leased});
  }
  // A wider route is the kernel's second choice, one address nobody's network.
  for (const char* leased :
       {"172.22.0.7/16", "172.20.5.7/25", "fd20::7/64", "172.21.0.9/32"}) {
    EXPECT_EQ(Against({leased}), "") << leased;
  }
}

TEST(LeaseRulesTest, WhatIsNoneIsNot) {
  const struct {
    const char* leased;
    const char* why;
  } kinds[] = {{"127.0.0.5/8", "is no host's address"},
               {"224.0.0.5/8", "is no host's address"},
               {"169.254.0.5/16", "is no host's address"},
               {"fe80::5/64", "is no host's address"},
               {"ff02::5/64", "is no host's address"},
               {"10.0.0.0/24", "is no host's address"},
               {"10.0.0.255/24", "is no host's address"},
               {"10.0.0.5/0", "is no host's address"},
               {"10.0.0.5/7", "is of a network that is too large"},
               {"fd00::5/15", "is of a network that is too large"},
               {"203.0.113.9/24", "has the hub itself in its network"},
               {"192.168.1.9/24", "overlaps 192.168.1.0/24"},
               {"192.168.1.9/28", "overlaps 192.168.1.0/24"},
               {"192.168.0.9/16", "overlaps 192.168.1.0/24"},
               {"fd11::9/64", "overlaps fd11::/64"}};
  for (const auto& kind : kinds) {
    EXPECT_NE(Against({kind.leased}).find(kind.why), std::string::npos)
        << kind.leased << ": " << Against({kind.leased});
    EXPECT_NE(Against({"fd00::7/64", kind.leased}), "");
  }
  EXPECT_NE(Against({"10.0.0.7/24", "10.1.0.7/24"}).find("of one family"),
            std::string::npos);
}

}  // namespace
}  // namespace lwt::peer
