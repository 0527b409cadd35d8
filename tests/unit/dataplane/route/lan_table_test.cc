#include "dataplane/route/lan_table.h"

#include <gtest/gtest.h>

#include <string>

#include "dataplane/lan_state.h"

namespace lwt {
namespace {

IpAddress Ip(std::string_view text) { return ParseIpAddress(text).value(); }

LanTable::Spec Example() {
  LanTable::Spec spec;
  spec.mac = {2, 0, 0, 0, 0, 1};
  spec.mtu = 1500;
  spec.addresses = {*ParseIpPrefix("10.7.0.1/24"), *ParseIpPrefix("fd07::1/64"),
                    *ParseIpPrefix("10.8.0.0/31")};
  spec.tunnel_addresses = {Ip("10.0.0.1")};
  spec.neighbours = {{Ip("10.7.0.2"), {2, 0, 0, 0, 0, 2}},
                     {Ip("fd07::2"), {2, 0, 0, 0, 0, 3}}};
  return spec;
}

LanTable::Place PlaceOf(const LanTable& table, std::string_view text) {
  const IpAddress address = Ip(text);
  return table.Find(address.family, address.bytes.data()).place;
}

TEST(LanTableTest, TellsHostsFromTheKernelsAddressesAndFromElsewhere) {
  using Place = LanTable::Place;
  const LanTable table(Example());
  EXPECT_EQ(PlaceOf(table, "10.7.0.2"), Place::kNeighbour);
  EXPECT_EQ(PlaceOf(table, "fd07::2"), Place::kNeighbour);
  EXPECT_EQ(PlaceOf(table, "10.7.0.3"), Place::kUnresolved);
  EXPECT_EQ(PlaceOf(table, "fd07::3"), Place::kUnresolved);
  EXPECT_EQ(PlaceOf(table, "10.7.0.1"), Place::kKernel);
  EXPECT_EQ(PlaceOf(table, "fd07::1"), Place::kKernel);
  EXPECT_EQ(PlaceOf(table, "10.7.0.255"), Place::kKernel);
  // A link of two addresses has no broadcast (RFC 3021).
  EXPECT_EQ(PlaceOf(table, "10.8.0.1"), Place::kUnresolved);
  EXPECT_EQ(PlaceOf(table, "10.9.0.2"), Place::kElsewhere);
  EXPECT_EQ(PlaceOf(table, "fd08::2"), Place::kElsewhere);
  const IpAddress host = Ip("fd07::2");
  EXPECT_EQ(*table.Find(host.family, host.bytes.data()).mac,
            (LanTable::Mac{2, 0, 0, 0, 0, 3}));
}

TEST(LanTableTest, NamesItsOwnAddresses) {
  const LanTable table(Example());
  EXPECT_EQ(table.Own(Family::kIpv4), Ip("10.7.0.1"));
  EXPECT_EQ(table.Own(Family::kIpv6), Ip("fd07::1"));
  EXPECT_EQ(table.OwnTunnel(Family::kIpv4), Ip("10.0.0.1"));
  EXPECT_EQ(table.OwnTunnel(Family::kIpv6), std::nullopt);
}

TEST(LanTableTest, RemembersWhoWasUsedUntilAsked) {
  const LanTable table(Example());
  EXPECT_TRUE(table.TakeUsed().empty());
  PlaceOf(table, "10.7.0.2");
  PlaceOf(table, "10.7.0.9");
  EXPECT_EQ(table.TakeUsed(), std::vector<IpAddress>{Ip("10.7.0.2")});
  EXPECT_TRUE(table.TakeUsed().empty());
}

TEST(LanTableTest, FindsEachOfMany) {
  LanTable::Spec spec = Example();
  spec.addresses = {*ParseIpPrefix("10.7.0.1/16")};
  spec.neighbours.clear();
  for (int i = 2; i < 5000; ++i) {
    IpAddress address = Ip("10.7.0.0");
    address.bytes[2] = static_cast<uint8_t>(i >> 8);
    address.bytes[3] = static_cast<uint8_t>(i);
    const auto low = static_cast<uint8_t>(i);
    spec.neighbours.push_back({address, {2, 0, 0, 0, address.bytes[2], low}});
  }
  const LanTable table(spec);
  for (const LanTable::Neighbour& neighbour : spec.neighbours) {
    const auto found =
        table.Find(Family::kIpv4, neighbour.address.bytes.data());
    ASSERT_EQ(found.place, LanTable::Place::kNeighbour);
    ASSERT_EQ(*found.mac, neighbour.mac);
  }
  EXPECT_EQ(table.TakeUsed().size(), spec.neighbours.size());
  EXPECT_EQ(PlaceOf(table, "10.7.200.1"), LanTable::Place::kUnresolved);
}

TEST(EventBudgetTest, BoundsARateAndABurst) {
  EventBudget budget(1000);
  const uint64_t start = 10'000'000;
  int taken = 0;
  for (int i = 0; i < 1000; ++i) taken += budget.Take(start) ? 1 : 0;
  EXPECT_NEAR(taken, 100, 1);
  for (int i = 0; i < 10'000; ++i) {
    taken += budget.Take(start + 100 * static_cast<uint64_t>(i)) ? 1 : 0;
  }
  EXPECT_NEAR(taken, 1100, 2);
}

TEST(AskedAddressesTest, AsksOnceASecondForEachAddress) {
  AskedAddresses asked;
  const uint64_t start = 10'000'000;
  EXPECT_TRUE(asked.ShouldAsk(Ip("10.7.0.2"), start));
  EXPECT_FALSE(asked.ShouldAsk(Ip("10.7.0.2"), start + 999'999));
  EXPECT_TRUE(asked.ShouldAsk(Ip("10.7.0.3"), start + 999'999));
  EXPECT_TRUE(asked.ShouldAsk(Ip("10.7.0.2"), start + 1'000'000));
}

TEST(AskedAddressesTest, AScanOfTheLanDoesNotFloodControl) {
  AskedAddresses asked;
  int questions = 0;
  for (int i = 0; i < 65'536; ++i) {
    IpAddress address = Ip("10.7.0.0");
    address.bytes[2] = static_cast<uint8_t>(i >> 8);
    address.bytes[3] = static_cast<uint8_t>(i);
    questions += asked.ShouldAsk(address, 10'000'000) ? 1 : 0;
  }
  EXPECT_LE(questions, 21);
}

}  // namespace
}  // namespace lwt
