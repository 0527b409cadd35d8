// A NAT's answers, ports, times and state against RFC 4787, RFC 5382 and RFC
// 7857.
#include "tests/support/world/nat.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/world/nat_rig.h"
#include "tests/support/world/nat_types.h"

namespace lwt::world {
namespace {

constexpr uint64_t kMinute = 60 * NatLab::kS;
constexpr uint64_t kHour = 60 * kMinute;
constexpr uint8_t kAck = wire::kAck;
constexpr uint8_t kSynAck = wire::kSyn | wire::kAck;
constexpr uint8_t kFinAck = wire::kFin | wire::kAck;
constexpr uint8_t kRst = wire::kRst;
constexpr uint8_t kRstAck = wire::kRst | wire::kAck;

// ---- What they answer.

NatBehaviour Answering() {
  NatBehaviour behaviour = NatNamed("port-restricted");
  behaviour.unsolicited = Unsolicited::kReset;
  return behaviour;
}

// As RFC 9293 §3.10.7.1 has it for a closed port.
TEST(NatAnswers, ARstToWhatItDidNotAskFor) {
  NatRig rig(Answering());
  const Endpoint target{rig.nat().address(), 5000};
  auto got = rig.Sent(rig.servers, kServer, target, wire::kSyn, rig.servers);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].source, target);
  EXPECT_EQ(got[0].flags, kRstAck);
  EXPECT_EQ(got[0].ack, 1u);  // behind the SYN, whose number is 0
  got = rig.Sent(rig.servers, kServer, target, kAck, rig.servers);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].flags, kRst);
  EXPECT_TRUE(
      rig.Sent(rig.servers, kServer, target, kRst, rig.servers).empty());
}

TEST(NatAnswers, NothingToWhatItHadAskedFor) {
  NatRig rig(Answering());
  const Endpoint seen = rig.Connect(kInside, kServer);
  EXPECT_TRUE(rig.Sent(rig.servers, kServer, seen, kAck, rig.servers).empty());
}

// ---- Ports.

TEST(NatPorts, ArePreservedWhereTheyAreFree) {
  NatRig rig(NatNamed("port-restricted"));
  EXPECT_EQ(rig.SeenAs(kInside, kServer)->port, kInside.port);
  EXPECT_EQ(rig.SeenAs(kNeighbour, kServer)->port, kNeighbour.port + 1);
}

TEST(NatPorts, FollowEachOther) {
  NatRig rig(NatNamed("sequential"));
  const uint16_t first = rig.SeenAs(kInside, kServer)->port;
  EXPECT_EQ(rig.SeenAs(kInside, kOtherPort)->port, first + 1);
  EXPECT_EQ(rig.SeenAs(kNeighbour, kServer)->port, first + 2);
  EXPECT_EQ(rig.SeenAs(kInside, kOtherAddress)->port, first + 3);
}

TEST(NatPorts, AreAnyOfTheRange) {
  NatBehaviour behaviour = NatNamed("symmetric");
  behaviour.first_port = 20'000;
  behaviour.last_port = 20'999;
  NatRig rig(behaviour);
  uint32_t in_turn = 0;
  uint32_t upper_half = 0;
  uint16_t before = 0;
  for (uint16_t i = 0; i < 100; ++i) {
    const uint16_t port =
        rig.SeenAs(At("10.0.0.2", static_cast<uint16_t>(6000 + i)), kServer)
            ->port;
    EXPECT_GE(port, behaviour.first_port);
    EXPECT_LE(port, behaviour.last_port);
    in_turn += port == before + 1;
    upper_half += port >= 20'500;
    before = port;
  }
  EXPECT_LE(in_turn, 5u);
  EXPECT_GE(upper_half, 30u);
  EXPECT_LE(upper_half, 70u);
}

TEST(NatPorts, RunOutAndComeBack) {
  for (const char* type : {"port-restricted", "symmetric", "sequential"}) {
    SCOPED_TRACE(type);
    NatBehaviour behaviour = NatNamed(type);
    behaviour.first_port = 7000;
    behaviour.last_port = 7003;
    NatRig rig(behaviour);
    for (uint16_t port = 1; port <= 4; ++port) {
      EXPECT_TRUE(rig.SeenAs(At("10.0.0.2", port), kServer));
    }
    EXPECT_FALSE(rig.SeenAs(At("10.0.0.2", 5), kServer));
    EXPECT_EQ(rig.nat().refused(), 1u);
    rig.Run(behaviour.timeouts.opening_us);
    EXPECT_TRUE(rig.SeenAs(At("10.0.0.2", 5), kServer));
  }
}

// ---- Time.

class NatTimes : public testing::Test {
 protected:
  NatRig rig_{NatNamed("port-restricted")};
};

// RFC 5382 REQ-5: a connection that is partly open, 4 minutes.
TEST_F(NatTimes, ASynIsRememberedForFourMinutes) {
  Endpoint seen = *rig_.SeenAs(kInside, kServer);
  rig_.Run(4 * kMinute - NatLab::kS);
  EXPECT_TRUE(rig_.Reaches(kServer, seen, kSynAck));
  seen = *rig_.SeenAs(At("10.0.0.2", 5001), kServer);
  rig_.Run(4 * kMinute);
  EXPECT_FALSE(rig_.Reaches(kServer, seen, kSynAck));
}

// RFC 5382 REQ-5: an open one, 2 hours and 4 minutes.
TEST_F(NatTimes, AnOpenConnectionLastsForTwoHoursOfSilence) {
  const Endpoint seen = rig_.Connect(kInside, kServer);
  for (int i = 0; i < 3; ++i) {  // each word begins the time again
    rig_.Run(2 * kHour + 3 * kMinute);
    EXPECT_TRUE(rig_.Reaches(kServer, seen, kAck));
  }
  rig_.Run(2 * kHour + 4 * kMinute);
  EXPECT_FALSE(rig_.Reaches(kServer, seen, kAck));
  EXPECT_FALSE(rig_.SeenAs(kInside, kServer, kAck));
  EXPECT_TRUE(rig_.nat().Ties().empty());
}

// RFC 7857 §2.1: one that is closing has a time of its own.
TEST_F(NatTimes, AClosedConnectionGoesFourMinutesAfterBothFins) {
  const Endpoint seen = rig_.Connect(kInside, kServer);
  EXPECT_TRUE(rig_.SeenAs(kInside, kServer, kFinAck));
  rig_.Run(kHour);  // half closed is open
  EXPECT_TRUE(rig_.Reaches(kServer, seen, kFinAck));
  rig_.Run(4 * kMinute - NatLab::kS);
  EXPECT_TRUE(rig_.SeenAs(kInside, kServer, kAck));
  rig_.Run(NatLab::kS);  // which has not begun the time again
  EXPECT_FALSE(rig_.Reaches(kServer, seen, kAck));
}

TEST_F(NatTimes, AClosedConnectionMayBeOpenedAgain) {
  const Endpoint seen = rig_.Connect(kInside, kServer);
  rig_.SeenAs(kInside, kServer, kFinAck);
  rig_.Reaches(kServer, seen, kFinAck);
  EXPECT_EQ(rig_.Connect(kInside, kServer), seen);
  rig_.Run(2 * kHour);
  EXPECT_TRUE(rig_.Reaches(kServer, seen, kAck));
}

// RFC 7857 §2.2: translated, and 4 minutes of silence; what comes after it
// keeps the connection, as the RST may be forged.
TEST_F(NatTimes, ARstIsOutlivedIfTheConnectionIs) {
  const Endpoint seen = rig_.Connect(kInside, kServer);
  EXPECT_TRUE(rig_.Reaches(kServer, seen, kRst));
  rig_.Run(4 * kMinute - NatLab::kS);
  EXPECT_TRUE(rig_.SeenAs(kInside, kServer, kAck));
  rig_.Run(kHour);
  EXPECT_TRUE(rig_.Reaches(kServer, seen, kRstAck));
  rig_.Run(4 * kMinute);
  EXPECT_FALSE(rig_.Reaches(kServer, seen, kAck));
}

// As Linux forgets a connection whose SYN is answered by a RST.
TEST(NatRst, ARefusalMayEndAConnectionThatIsOpening) {
  NatBehaviour behaviour = NatNamed("port-restricted");
  behaviour.timeouts.refused_us = 0;
  NatRig rig(behaviour);
  const Endpoint seen = *rig.SeenAs(kInside, kServer);
  EXPECT_TRUE(rig.Reaches(kServer, seen, kRstAck));
  EXPECT_FALSE(rig.Reaches(kServer, seen, wire::kSyn));
  EXPECT_TRUE(rig.nat().Ties().empty());
}

// One connection's end is none of the others' of the same mapping.
TEST_F(NatTimes, TheMappingLastsAsLongAsOneOfItsConnections) {
  const Endpoint seen = rig_.Connect(kInside, kServer);
  rig_.SeenAs(kInside, kOtherAddress);
  rig_.Run(5 * kMinute);
  EXPECT_FALSE(rig_.Reaches(kOtherAddress, seen, kSynAck));
  EXPECT_EQ(rig_.SeenAs(kInside, kOtherAddress), seen);
}

// ---- State.

TEST(NatState, OnlyASynBeginsSomething) {
  for (const bool picks_up : {false, true}) {
    NatBehaviour behaviour = NatNamed("port-restricted");
    behaviour.picks_up = picks_up;
    NatRig rig(behaviour);
    for (const uint8_t flags : {kRst, kRstAck}) {
      EXPECT_FALSE(rig.SeenAs(kInside, kServer, flags));
    }
    EXPECT_EQ(rig.nat().Ties().size(), 0u);
    for (const uint8_t flags : {kAck, kFinAck}) {
      EXPECT_EQ(rig.SeenAs(kInside, kServer, flags).has_value(), picks_up);
    }
  }
}

TEST(NatState, IsGoneAfterAReboot) {
  NatRig rig(NatNamed("port-restricted"));
  const Endpoint seen = rig.Connect(kInside, kServer);
  rig.nat().Reboot();
  EXPECT_FALSE(rig.Reaches(kServer, seen, kAck));
  EXPECT_FALSE(rig.SeenAs(kInside, kServer, kAck));
  EXPECT_TRUE(rig.SeenAs(kInside, kServer));
}

TEST(NatState, PortsOfNoUseAreNotTaken) {
  NatRig rig(NatNamed("port-restricted"));
  rig.Sent(rig.inside, kInside, {rig.nat().address(), 9}, wire::kSyn,
           rig.inside);
  EXPECT_TRUE(rig.nat().Ties().empty());
}

// ---- A port that is forwarded.

TEST(NatForward, LeadsEverybodyInAndTheAnswersOut) {
  NatRig rig(NatNamed("symmetric"));
  const Endpoint outside{rig.nat().address(), 8443};
  rig.nat().Forward(outside.port, kInside);
  rig.nat().Reboot();
  for (const Endpoint& caller : {kServer, kOtherPort, kOtherAddress}) {
    EXPECT_TRUE(rig.Reaches(caller, outside));
    EXPECT_EQ(rig.SeenAs(kInside, caller, kSynAck), outside);
  }
  EXPECT_FALSE(rig.Reaches(kServer, {outside.address, 8444}));
  EXPECT_NE(rig.SeenAs(kNeighbour, kServer), outside);
}

// ---- Where packets die, and other networks.

TEST(NatHops, ATtlThatEndsOutsideHasOpenedTheNat) {
  NatRig rig(NatNamed("port-restricted"));
  rig.inside.Send(kInside, kServer, wire::kSyn, 1);
  rig.Run(NatLab::kS);
  EXPECT_TRUE(rig.nat().Ties().empty());
  rig.inside.Send(kInside, kServer, wire::kSyn, 2);
  rig.Run(NatLab::kS);
  EXPECT_TRUE(rig.servers.Take().empty());
  EXPECT_EQ(rig.topology.internet().expired(), 1u);
  ASSERT_EQ(rig.nat().Ties().size(), 1u);
  EXPECT_TRUE(rig.Reaches(kServer, rig.nat().Ties()[0].outside));
}

// RFC 6092 §3.3: an IPv6 router at home filters, and translates nothing.
TEST(NatIpv6, AFirewallLetsInWhatWasAskedFor) {
  NatLab lab;
  Site& site = lab.topology.AddSite(
      lab.topology.internet(), Address("2001:db8::1"),
      *ParseIpPrefix("2001:db8:1::/64"), NatNamed("firewall"));
  const Endpoint inside = At("2001:db8:1::2", 5000);
  const Endpoint outside = At("2001:db8:2::1", 443);
  PlainHost home(site.network, {inside.address}, 0);
  PlainHost server(lab.topology.internet(), {outside.address});
  server.Call(outside, inside);
  lab.Run(NatLab::kS);
  EXPECT_EQ(site.nat.unsolicited(), 1u);
  server.Listen(outside.port);
  home.Call(inside, outside);
  server.Call(outside, inside);
  lab.Run(NatLab::kS);
  EXPECT_EQ(home.Find(inside, outside)->state, PlainHost::State::kOpen);
  EXPECT_EQ(server.Find(outside, inside)->state, PlainHost::State::kOpen);
}

// RFC 6888: the customer's NAT behind the carrier's. Outside, the two are what
// the stricter one is.
TEST(NatOfCarrier, BothHaveASay) {
  struct Case {
    const char* home;
    const char* carrier;
    bool same_endpoint;  // towards every remote one
    bool reached;        // by others
  };
  for (const Case& c : {Case{"full cone", "full cone", true, true},
                        Case{"port-restricted", "full cone", true, false},
                        Case{"full cone", "restricted", true, false},
                        Case{"full cone", "symmetric", false, false},
                        Case{"symmetric", "full cone", false, false}}) {
    SCOPED_TRACE(std::string(c.home) + " behind " + c.carrier);
    NatRig rig(NatNamed(c.carrier));
    Site& home = rig.topology.AddSite(rig.site.network, Address("10.0.0.9"),
                                      *ParseIpPrefix("192.168.0.0/24"),
                                      NatNamed(c.home));
    const Endpoint own = At("192.168.0.2", 5000);
    PlainHost host(home.network, {own.address}, 0);
    std::vector<Endpoint> seen;
    for (const Endpoint& server : {kServer, kOtherAddress}) {
      const auto got = rig.Sent(host, own, server, wire::kSyn, rig.servers);
      ASSERT_EQ(got.size(), 1u);
      EXPECT_EQ(got[0].source.address, rig.nat().address());
      seen.push_back(got[0].source);
      EXPECT_FALSE(
          rig.Sent(rig.servers, server, seen.back(), wire::kSyn, host).empty());
    }
    EXPECT_EQ(seen[0] == seen[1], c.same_endpoint);
    EXPECT_EQ(
        !rig.Sent(rig.servers, At("192.0.2.3", 9), seen[0], wire::kSyn, host)
             .empty(),
        c.reached);
  }
}

}  // namespace
}  // namespace lwt::world
