// The route table against a scan of all routes.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "dataplane/route/route_table.h"

namespace lwt {
namespace {

constexpr size_t kRoutes = 10'000;
constexpr size_t kLookups = 2'000;

using Random = std::mt19937_64;

// Few values for the leading bytes, so that routes nest and collide.
IpAddress RandomAddress(Family family, Random& random) {
  IpAddress address = IpAddress::Any(family);
  for (size_t i = 0; i < address.size(); ++i) {
    const bool few = i < address.size() / 2;
    address.bytes[i] = static_cast<uint8_t>(few ? random() % 3 : random());
  }
  return address;
}

std::vector<RouteTable::Route> RandomRoutes(Family family, Random& random) {
  std::vector<RouteTable::Route> routes(kRoutes);
  for (size_t i = 0; i < routes.size(); ++i) {
    const size_t bits = IpAddress::SizeOf(family) * 8;
    routes[i].prefix = {RandomAddress(family, random),
                        static_cast<uint8_t>(random() % (bits + 1))};
    routes[i].peer = {static_cast<uint32_t>(i)};
  }
  return routes;
}

PeerIndex Scan(const std::vector<RouteTable::Route>& routes,
               const IpAddress& address) {
  const RouteTable::Route* best = nullptr;
  for (const RouteTable::Route& route : routes) {
    const bool better =
        best == nullptr || route.prefix.length >= best->prefix.length;
    if (better && route.prefix.Contains(address)) best = &route;
  }
  return best == nullptr ? PeerIndex::kNone : best->peer;
}

// Near a route half of the time: its network with one bit turned.
IpAddress RandomTarget(const std::vector<RouteTable::Route>& routes,
                       Family family, Random& random) {
  if (random() % 2 == 0) return RandomAddress(family, random);
  IpAddress target = routes[random() % routes.size()].prefix.address;
  const size_t bit = random() % (target.size() * 8);
  target.bytes[bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
  return target;
}

void Compare(Family family, uint64_t seed, bool without_short) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Random random(seed);
  auto routes = RandomRoutes(family, random);
  if (without_short) {
    std::erase_if(routes, [](const RouteTable::Route& route) {
      return route.prefix.length < 9;
    });
  }
  const RouteTable table(routes);
  ASSERT_EQ(table.size(), routes.size());
  size_t missed = 0;
  for (size_t i = 0; i < kLookups; ++i) {
    const IpAddress target = RandomTarget(routes, family, random);
    const PeerIndex expected = Scan(routes, target);
    missed += expected == PeerIndex::kNone ? 1 : 0;
    ASSERT_EQ(table.Lookup(family, target.bytes.data()), expected)
        << ToString(target);
  }
  // Without short routes some targets lead nowhere.
  EXPECT_EQ(missed > 0, without_short);
}

TEST(RouteTableProperty, Ipv4AgreesWithAScan) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Compare(Family::kIpv4, seed, false);
    Compare(Family::kIpv4, seed, true);
  }
}

TEST(RouteTableProperty, Ipv6AgreesWithAScan) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Compare(Family::kIpv6, seed, false);
    Compare(Family::kIpv6, seed, true);
  }
}

}  // namespace
}  // namespace lwt
