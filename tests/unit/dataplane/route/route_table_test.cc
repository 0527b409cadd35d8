#include "dataplane/route/route_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lwt {
namespace {

constexpr uint32_t kNoPeer = PeerIndex::kNone.value;

RouteTable TableOf(
    const std::vector<std::pair<std::string, uint32_t>>& routes) {
  std::vector<RouteTable::Route> parsed;
  for (const auto& [prefix, peer] : routes) {
    parsed.push_back({*ParseIpPrefix(prefix), {peer}});
  }
  return RouteTable(parsed);
}

uint32_t Find(const RouteTable& table, const std::string& address) {
  const IpAddress parsed = *ParseIpAddress(address);
  return table.Lookup(parsed.family, parsed.bytes.data()).value;
}

TEST(RouteTable, EmptyTableFindsNobody) {
  const RouteTable table;
  EXPECT_EQ(Find(table, "10.0.0.1"), kNoPeer);
  EXPECT_EQ(Find(table, "fd00::1"), kNoPeer);
  EXPECT_EQ(table.size(), 0u);
}

// An address of ours in the network of a peer is not the peer's.
TEST(RouteTable, APrefixThatLeadsToNobodyIsRefused) {
  const RouteTable table = TableOf({{"10.0.0.0/24", 1},
                                    {"10.0.0.7/32", kNoPeer},
                                    {"fd00::/64", 1},
                                    {"fd00::7/128", kNoPeer}});
  EXPECT_EQ(Find(table, "10.0.0.6"), 1u);
  EXPECT_EQ(Find(table, "10.0.0.7"), kNoPeer);
  EXPECT_EQ(Find(table, "10.0.0.8"), 1u);
  EXPECT_EQ(Find(table, "fd00::7"), kNoPeer);
  EXPECT_EQ(Find(table, "fd00::8"), 1u);
}

TEST(RouteTable, LongestPrefixWins) {
  const RouteTable table = TableOf({{"10.0.0.0/8", 1},
                                    {"10.1.0.0/16", 2},
                                    {"10.1.2.0/24", 3},
                                    {"10.1.2.3/32", 4}});
  EXPECT_EQ(Find(table, "10.1.2.3"), 4u);
  EXPECT_EQ(Find(table, "10.1.2.4"), 3u);
  EXPECT_EQ(Find(table, "10.1.3.3"), 2u);
  EXPECT_EQ(Find(table, "10.2.2.3"), 1u);
  EXPECT_EQ(Find(table, "11.1.2.3"), kNoPeer);
  EXPECT_EQ(table.size(), 4u);
}

TEST(RouteTable, LongestPrefixWinsInIpv6OnBothSidesOfTheMiddle) {
  const RouteTable table = TableOf({{"fd00::/8", 1},
                                    {"fd00:1::/63", 2},
                                    {"fd00:1::/64", 3},
                                    {"fd00:1::8000:0:0:0/65", 4},
                                    {"fd00:1::1/128", 5}});
  EXPECT_EQ(Find(table, "fd00:1::1"), 5u);
  EXPECT_EQ(Find(table, "fd00:1::2"), 3u);
  EXPECT_EQ(Find(table, "fd00:1:0:0:8000::2"), 4u);
  EXPECT_EQ(Find(table, "fd00:1:0:1::2"), 2u);
  EXPECT_EQ(Find(table, "fd00:1:0:2::2"), 1u);
  EXPECT_EQ(Find(table, "fe00::1"), kNoPeer);
}

TEST(RouteTable, DefaultRouteTakesTheRestOfItsFamily) {
  const RouteTable table = TableOf({{"0.0.0.0/0", 7}, {"10.0.0.0/8", 8}});
  EXPECT_EQ(Find(table, "0.0.0.0"), 7u);
  EXPECT_EQ(Find(table, "255.255.255.255"), 7u);
  EXPECT_EQ(Find(table, "10.255.255.255"), 8u);
  EXPECT_EQ(Find(table, "::"), kNoPeer);
}

TEST(RouteTable, FamiliesAreApart) {
  // The same leading bits in both families.
  const RouteTable table = TableOf({{"32.1.0.0/16", 1}, {"2001::/16", 2}});
  EXPECT_EQ(Find(table, "32.1.2.3"), 1u);
  EXPECT_EQ(Find(table, "2001:203::"), 2u);
}

TEST(RouteTable, HostBitsOfARouteDoNotCount) {
  const RouteTable table = TableOf({{"10.0.0.1/24", 1}, {"fd00::1/64", 2}});
  EXPECT_EQ(Find(table, "10.0.0.200"), 1u);
  EXPECT_EQ(Find(table, "fd00::200"), 2u);
}

TEST(RouteTable, PrefixNamedTwiceLeadsToTheLastPeer) {
  const RouteTable table = TableOf({{"10.0.0.0/24", 1},
                                    {"10.0.0.9/24", 2},
                                    {"fd00::/64", 3},
                                    {"fd00::5/64", 4}});
  EXPECT_EQ(Find(table, "10.0.0.1"), 2u);
  EXPECT_EQ(Find(table, "fd00::1"), 4u);
}

TEST(RouteTable, ZeroAddressIsAnAddressLikeAnyOther) {
  const RouteTable table = TableOf({{"0.0.0.0/32", 0}, {"::/128", 1}});
  EXPECT_EQ(Find(table, "0.0.0.0"), 0u);
  EXPECT_EQ(Find(table, "0.0.0.1"), kNoPeer);
  EXPECT_EQ(Find(table, "::"), 1u);
  EXPECT_EQ(Find(table, "::1"), kNoPeer);
}

}  // namespace
}  // namespace lwt
