// Each type of NAT against what RFC 4787 and RFC 5382 say of its kind.
#include "tests/support/world/nat_types.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string_view>

#include "tests/support/world/nat_rig.h"

namespace lwt::world {
namespace {

// ---- The eight types, and a router.

// What RFC 4787 calls them; RFC 3489 §5 has the names of the cones.
struct Definition {
  const char* type;
  bool translates;
  char mapping;    // endpoint-Independent, Address-dependent, Port-dependent
  char filtering;  // the same
  bool hairpins;
};

void PrintTo(const Definition& definition, std::ostream* out) {
  *out << definition.type;
}

class NatTypeTest : public testing::TestWithParam<Definition> {
 protected:
  NatRig rig_{NatNamed(GetParam().type)};
};

INSTANTIATE_TEST_SUITE_P(
    Types, NatTypeTest,
    testing::Values(Definition{"none", false, 'I', 'I', false},
                    Definition{"firewall", false, 'I', 'P', false},
                    Definition{"full cone", true, 'I', 'I', false},
                    Definition{"hairpin", true, 'I', 'I', true},
                    Definition{"restricted", true, 'I', 'A', false},
                    Definition{"port-restricted", true, 'I', 'P', false},
                    Definition{"address-dependent", true, 'A', 'P', false},
                    Definition{"symmetric", true, 'P', 'P', false},
                    Definition{"sequential", true, 'P', 'P', false}));

// RFC 5780 §4.3.
TEST_P(NatTypeTest, MapsAsItsNameSays) {
  const auto first = rig_.SeenAs(kInside, kServer);
  const auto other_port = rig_.SeenAs(kInside, kOtherPort);
  const auto other_address = rig_.SeenAs(kInside, kOtherAddress);
  ASSERT_TRUE(first && other_port && other_address);
  EXPECT_EQ(*first == kInside, !GetParam().translates);
  EXPECT_EQ(*first == *other_port, GetParam().mapping != 'P');
  EXPECT_EQ(*first == *other_address, GetParam().mapping == 'I');
  // The same connection stays the same.
  EXPECT_EQ(rig_.SeenAs(kInside, kServer), first);
  if (GetParam().translates) {
    EXPECT_EQ(first->address, rig_.nat().address());
  }
}

// RFC 5780 §4.4.
TEST_P(NatTypeTest, FiltersAsItsNameSays) {
  const auto seen = rig_.SeenAs(kInside, kServer);
  ASSERT_TRUE(seen);
  EXPECT_EQ(rig_.Reaches(kOtherAddress, *seen), GetParam().filtering == 'I');
  EXPECT_EQ(rig_.Reaches(kOtherPort, *seen), GetParam().filtering != 'P');
  EXPECT_TRUE(rig_.Reaches(kServer, *seen));
  EXPECT_TRUE(rig_.Reaches(kServer, *seen, wire::kSyn | wire::kAck));
}

TEST_P(NatTypeTest, NobodyComesInUnasked) {
  const bool open = std::string_view(GetParam().type) == "none";
  const Endpoint target =
      GetParam().translates ? Endpoint{rig_.nat().address(), 5000} : kInside;
  EXPECT_EQ(rig_.Reaches(kServer, target), open);
  EXPECT_EQ(rig_.nat().unsolicited(), open ? 0u : 1u);
}

// RFC 4787 REQ-9, RFC 5382 REQ-8: by its endpoint outside, and as from one.
TEST_P(NatTypeTest, HairpinsAsItsNameSays) {
  const auto seen = rig_.SeenAs(kInside, kServer);
  ASSERT_TRUE(seen);
  if (!GetParam().translates) return;
  const auto got =
      rig_.Sent(rig_.neighbour, kNeighbour, *seen, wire::kSyn, rig_.inside);
  ASSERT_EQ(got.size(), GetParam().hairpins ? 1u : 0u);
  if (!GetParam().hairpins) return;
  EXPECT_EQ(got[0].source.address, rig_.nat().address());
  EXPECT_NE(got[0].source, *seen);
  EXPECT_EQ(got[0].destination, kInside);
  // And the answer, the same way back.
  const auto answer = rig_.Sent(rig_.inside, kInside, got[0].source,
                                wire::kSyn | wire::kAck, rig_.neighbour);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].source, *seen);
  EXPECT_EQ(answer[0].destination, kNeighbour);
}

// RFC 5382 REQ-2: the three-way handshake, and SYNs that cross.
TEST_P(NatTypeTest, ConnectionsOpenFromInside) {
  rig_.servers.Listen(kServer.port);
  rig_.inside.Call(kInside, kServer);
  rig_.Run(NatLab::kS);
  const auto* connection = rig_.inside.Find(kInside, kServer);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->state, PlainHost::State::kOpen);
}

TEST_P(NatTypeTest, SynsMayCross) {
  // Where the endpoint outside is not known beforehand, from the first SYN.
  const auto seen = rig_.SeenAs(kInside, kServer);
  ASSERT_TRUE(seen);
  rig_.inside.Call(kInside, kServer);
  rig_.servers.Call(kServer, *seen);
  rig_.Run(NatLab::kS);
  EXPECT_EQ(rig_.inside.Find(kInside, kServer)->state, PlainHost::State::kOpen);
  EXPECT_EQ(rig_.servers.Find(kServer, *seen)->state, PlainHost::State::kOpen);
}

// RFC 5382 REQ-7: no two hosts share an endpoint outside.
TEST_P(NatTypeTest, EachHostHasItsOwnEndpoint) {
  const auto one = rig_.SeenAs(kInside, kServer);
  const auto other = rig_.SeenAs(kNeighbour, kServer);
  ASSERT_TRUE(one && other);
  EXPECT_NE(*one, *other);
  EXPECT_EQ(rig_.nat().Ties().size(), 2u);
}
}  // namespace
}  // namespace lwt::world
