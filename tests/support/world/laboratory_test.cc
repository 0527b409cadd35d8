// Whole gateways behind NATs of every type, on bad links, at several hubs, in
// fake time: they come up, carry packets both ways, and come back.

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "control/client/client_attempt.h"
#include "tests/support/world/nat_lab.h"
#include "tests/support/world/nat_types.h"
#include "tests/support/world/traffic.h"
#include "tests/support/world/world.h"

namespace lwt::world {
namespace {

constexpr uint32_t kClients = 20;
constexpr uint64_t kPingUs = kSecond / 10;
// A path in use is given up within 10 s of its death (docs/architecture.md),
// and the join that replaces it takes round trips.
constexpr uint64_t kBackUs = 10 * kSecond;
// An idle one is probed after 26 s at most.
constexpr uint64_t kIdleBackUs = 26 * kSecond + kBackUs;
constexpr uint64_t kAfterlifeUs = 40 * kSecond;

// Of the only lane.
FlowId FlowOf(Gateway& gateway) {
  FlowId flow;
  const session::LaneTable& lanes = gateway.worker().lanes;
  for (uint32_t i = 0; i < lanes.size(); ++i) {
    if (lanes[i].installed) flow = lanes[i].flow;
  }
  return flow;
}

class Laboratory : public testing::Test {
 protected:
  HubGateway& AddHub(const char* outer, const char* inner,
                     Network* network = nullptr,
                     std::vector<Endpoint> also = {}) {
    GatewayOptions hub;
    hub.outer = *ParseEndpoint(outer);
    hub.also = std::move(also);
    hub.inner = *ParseIpPrefix(inner);
    hub.network = network;
    return world_.AddHub(hub, kClients);
  }

  ClientGateway& AddClient(const std::string& outer, const std::string& inner,
                           Network* network = nullptr,
                           std::vector<Endpoint> hubs = {}) {
    GatewayOptions client;
    client.outer = *ParseEndpoint(outer);
    client.inner = *ParseIpPrefix(inner);
    client.network = network;
    client.hubs = std::move(hubs);
    return world_.AddClient(client);
  }

  Site& AddSite(const char* address, const char* hosts,
                const NatBehaviour& behaviour) {
    return world_.topology().AddSite(world_.network(), Address(address),
                                     *ParseIpPrefix(hosts), behaviour);
  }

  // Twenty of them, whose flows begin so many ports apart.
  void AddClients(Site& site, uint32_t apart) {
    for (uint32_t i = 0; i < kClients; ++i) {
      const std::string number = std::to_string(i + 2);
      AddClient("10.7.0." + number + ":" + std::to_string(40000 + i * apart),
                "10.0.0." + number + "/24", &site.network);
    }
  }

  bool AllUp() {
    return std::all_of(world_.clients().begin(), world_.clients().end(),
                       [](const auto& client) { return client->up(); });
  }
  bool ComeUp(uint64_t within_us) {
    return world_.RunUntil([&] { return AllUp(); }, within_us);
  }

  struct Pair {
    Gateway* one;
    Gateway* other;
  };
  std::vector<Pair> WithHub(HubGateway& hub) {
    std::vector<Pair> pairs;
    for (const auto& client : world_.clients()) {
      pairs.push_back({client.get(), &hub});
    }
    return pairs;
  }

  // Packets both ways of each pair, until one has passed of each.
  testing::AssertionResult Carries(const std::vector<Pair>& pairs,
                                   uint64_t within_us) {
    traffic_.Mark();
    const uint64_t until_us = world_.now_us() + within_us;
    uint64_t next_us = world_.now_us();
    while (world_.now_us() < until_us) {
      if (world_.now_us() >= next_us) {
        next_us = world_.now_us() + kPingUs;
        for (const Pair& pair : pairs) Ping(pair);
      }
      world_.Advance(std::min(next_us, until_us));
      if (!traffic_.TakeAll()) {
        return testing::AssertionFailure() << "what nobody sent so arrived";
      }
      if (std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
            return traffic_.Passed(*pair.one, *pair.other) &&
                   traffic_.Passed(*pair.other, *pair.one);
          })) {
        return testing::AssertionSuccess();
      }
    }
    std::string why;
    for (Gateway* gateway : world_.gateways()) why += gateway->Describe();
    return testing::AssertionFailure() << "nothing passes:" << why;
  }

  void Ping(const Pair& pair) {
    traffic_.Send(*pair.one, pair.other->options().inner.address, 84);
    traffic_.Send(*pair.other, pair.one->options().inner.address, 84);
  }

  // Nothing is left once all have said goodbye.
  void ExpectCleanEnd() {
    world_.Close();
    world_.RunTo(world_.now_us() + kAfterlifeUs);
    EXPECT_TRUE(traffic_.TakeAll());
    EXPECT_EQ(world_.Leftovers(), "");
    EXPECT_FALSE(world_.spun());
  }

  World world_{1};
  Traffic traffic_{world_};
};

// ---- Twenty clients behind one NAT.

class LaboratoryNat : public Laboratory,
                      public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Types, LaboratoryNat,
                         testing::Values("none", "firewall", "full cone",
                                         "hairpin", "restricted",
                                         "port-restricted", "address-dependent",
                                         "symmetric", "sequential"));

TEST_P(LaboratoryNat, TwentyClientsShareIt) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  Site& site = AddSite("198.51.100.1", "10.7.0.0/24", NatNamed(GetParam()));
  AddClients(site, 0);
  ASSERT_TRUE(ComeUp(5 * kSecond));
  EXPECT_EQ(hub.clients(), kClients);
  EXPECT_TRUE(Carries(WithHub(hub), kSecond));
  // And from one to the other, by the hub.
  EXPECT_TRUE(
      Carries({{world_.clients().front().get(), world_.clients().back().get()}},
              kSecond));
  EXPECT_GE(site.nat.Ties().size(), size_t{kClients});
  ExpectCleanEnd();
}

// ---- A NAT that forgets.

struct RebootCase {
  const char* type;
  bool picks_up = false;
  bool idle = false;     // nothing is sent meanwhile
  bool answers = false;  // the hub gets a RST for what it sends on
  // New flows leave by the endpoints of flows that the hub still has with
  // others, which are proven: it answers no SYN there.
  bool meets_old_flows = false;
};

void PrintTo(const RebootCase& reboot, std::ostream* out) {
  *out << reboot.type << (reboot.picks_up ? ", picks up" : "")
       << (reboot.idle ? ", idle" : "") << (reboot.answers ? ", answers" : "")
       << (reboot.meets_old_flows ? ", meets old flows" : "");
}

class LaboratoryReboot : public Laboratory,
                         public testing::WithParamInterface<RebootCase> {
 protected:
  NatBehaviour Behaviour() const {
    NatBehaviour behaviour = NatNamed(GetParam().type);
    behaviour.picks_up = GetParam().picks_up;
    if (GetParam().answers) behaviour.unsolicited = Unsolicited::kReset;
    return behaviour;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Types, LaboratoryReboot,
    testing::Values(
        RebootCase{.type = "port-restricted"},
        RebootCase{.type = "port-restricted", .picks_up = true},
        RebootCase{.type = "port-restricted", .meets_old_flows = true},
        RebootCase{.type = "sequential", .meets_old_flows = true},
        RebootCase{.type = "symmetric"},
        RebootCase{.type = "symmetric", .answers = true},
        RebootCase{.type = "symmetric", .picks_up = true},
        RebootCase{.type = "symmetric", .picks_up = true, .idle = true},
        RebootCase{.type = "full cone", .idle = true},
        RebootCase{.type = "firewall"}));

TEST_P(LaboratoryReboot, AllClientsComeBack) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  Site& site = AddSite("198.51.100.1", "10.7.0.0/24", Behaviour());
  AddClients(site, GetParam().meets_old_flows ? 0 : 100);
  ASSERT_TRUE(ComeUp(5 * kSecond));
  ASSERT_TRUE(Carries(WithHub(hub), kSecond));
  site.nat.Reboot();
  ASSERT_TRUE(site.nat.Ties().empty());
  if (GetParam().idle) {
    world_.RunTo(world_.now_us() + kIdleBackUs);
    EXPECT_TRUE(AllUp());
    EXPECT_TRUE(Carries(WithHub(hub), kSecond));
  } else {
    EXPECT_TRUE(Carries(WithHub(hub), kBackUs));
  }
  EXPECT_TRUE(AllUp());
  EXPECT_EQ(hub.clients(), kClients);
  ExpectCleanEnd();
}

// ---- A NAT that soon forgets.

// An idle lane is probed every 20 to 26 s: that keeps a mapping of 30 s, so
// that what the hub sends arrives at once, on the same flow.
TEST_F(Laboratory, AnIdleClientStaysReachable) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  NatBehaviour behaviour = NatNamed("symmetric");
  behaviour.timeouts.open_us = 30 * kSecond;
  Site& site = AddSite("198.51.100.1", "10.7.0.0/24", behaviour);
  ClientGateway& client =
      AddClient("10.7.0.2:40000", "10.0.0.2/24", &site.network);
  ASSERT_TRUE(ComeUp(5 * kSecond));
  const auto ties = site.nat.Ties();
  world_.RunTo(world_.now_us() + 600 * kSecond);
  EXPECT_EQ(site.nat.Ties(), ties);
  traffic_.Send(hub, client.options().inner.address, 84);
  world_.RunTo(world_.now_us() + kSecond / 10);
  EXPECT_TRUE(traffic_.TakeAll());
  EXPECT_EQ(traffic_.arrived(), 1u);
  ExpectCleanEnd();
}

// ---- Several hubs.

TEST_F(Laboratory, TwoHubsHaveAClientEach) {
  HubGateway& one = AddHub("192.0.2.1:443", "10.0.0.1/24");
  HubGateway& other = AddHub("192.0.2.2:443", "10.1.0.1/24");
  ClientGateway& of_one = AddClient("198.51.100.1:40000", "10.0.0.2/24");
  ClientGateway& of_other = AddClient("198.51.100.2:40000", "10.1.0.2/24",
                                      nullptr, {other.options().outer});
  ASSERT_TRUE(ComeUp(5 * kSecond));
  EXPECT_EQ(one.clients(), 1u);
  EXPECT_EQ(other.clients(), 1u);
  EXPECT_TRUE(Carries({{&of_one, &one}, {&of_other, &other}}, kSecond));
  // The end of one hub is nothing to the other's client.
  one.Close();
  EXPECT_TRUE(Carries({{&of_other, &other}}, kSecond));
  world_.RunTo(world_.now_us() + kBackUs);
  EXPECT_FALSE(of_one.up());
  EXPECT_TRUE(of_other.up());
}

// ---- Bad links.

TEST_F(Laboratory, ALossyDistantClientLosesNothingInside) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  ClientGateway& client = AddClient("198.51.100.1:40000", "10.0.0.2/24");
  Impairment bad;
  bad.to = {.delay_us = 100'000, .loss = 0.05, .seed = 1};
  bad.from = {.delay_us = 100'000, .loss = 0.05, .seed = 2};
  world_.network().Impair(client.options().outer.address, bad);
  ASSERT_TRUE(ComeUp(10 * kSecond));
  ASSERT_TRUE(Carries({{&client, &hub}}, 2 * kSecond));
  constexpr uint64_t kPackets = 2000;
  const uint64_t before = traffic_.arrived();
  const uint64_t sent_before = traffic_.sent();
  for (uint64_t i = 0; i < kPackets / 2; ++i) {
    Ping({&client, &hub});
    world_.RunTo(world_.now_us() + 2000);
  }
  world_.RunTo(world_.now_us() + 10 * kSecond);
  ASSERT_TRUE(traffic_.TakeAll());
  EXPECT_TRUE(client.up());
  ASSERT_EQ(traffic_.sent() - sent_before, kPackets);
  // Retransmission gives back what FEC does not.
  EXPECT_GE(traffic_.arrived() - before, kPackets * 99 / 100);
  ExpectCleanEnd();
}

// The SYN is repeated three times before its answer is there, and so is all
// that waits for one.
TEST_F(Laboratory, ARoundTripOfFiveSeconds) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  ClientGateway& client = AddClient("198.51.100.1:40000", "10.0.0.2/24");
  Impairment far;
  far.to = {.delay_us = 2'500'000};
  far.from = far.to;
  world_.network().Impair(client.options().outer.address, far);
  ASSERT_TRUE(ComeUp(20 * kSecond)) << client.Describe();
  // Whatever is sent and whenever, it is the same session and the same flow.
  const FlowId flow = FlowOf(client);
  for (int i = 0; i < 300; ++i) {
    Ping({&client, &hub});
    world_.RunTo(world_.now_us() + kSecond);
    ASSERT_TRUE(client.up()) << i;
  }
  world_.RunTo(world_.now_us() + 10 * kSecond);
  ASSERT_TRUE(traffic_.TakeAll());
  EXPECT_EQ(traffic_.arrived(), traffic_.sent());
  EXPECT_EQ(FlowOf(client), flow);
  ExpectCleanEnd();
}

TEST_F(Laboratory, FramesThatOvertakeDoNotHurt) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  ClientGateway& client = AddClient("198.51.100.1:40000", "10.0.0.2/24");
  Impairment bad;
  bad.to = {.jitter_us = 5000, .reorder = 0.1, .reorder_us = 20'000};
  bad.from = bad.to;
  world_.network().Impair(client.options().outer.address, bad);
  ASSERT_TRUE(ComeUp(5 * kSecond));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Carries({{&client, &hub}}, kSecond));
  }
  ExpectCleanEnd();
}

// ---- Who is where.

TEST_F(Laboratory, AHubMayBeBehindAForwardedPort) {
  Site& site = AddSite("203.0.113.1", "10.9.0.0/24", NatNamed("symmetric"));
  site.nat.Forward(8443, At("10.9.0.2", 443));
  HubGateway& hub = AddHub("10.9.0.2:443", "10.0.0.1/24", &site.network);
  Site& home =
      AddSite("198.51.100.1", "10.7.0.0/24", NatNamed("port-restricted"));
  const std::vector<Endpoint> public_end = {At("203.0.113.1", 8443)};
  AddClient("198.51.100.2:40000", "10.0.0.2/24", nullptr, public_end);
  AddClient("10.7.0.2:40000", "10.0.0.3/24", &home.network, public_end);
  ASSERT_TRUE(ComeUp(5 * kSecond));
  EXPECT_TRUE(Carries(WithHub(hub), kSecond));
  site.nat.Reboot();  // which keeps that port, and forgets the flows
  EXPECT_TRUE(Carries(WithHub(hub), kBackUs));
  ExpectCleanEnd();
}

TEST_F(Laboratory, AClientMayBeBehindACarrier) {
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24");
  Site& carrier =
      AddSite("198.51.100.1", "100.64.0.0/10", NatNamed("symmetric"));
  for (const char* const number : {"2", "3"}) {
    Site& home = world_.topology().AddSite(
        carrier.network, Address(std::string("100.64.0.") + number),
        *ParseIpPrefix("192.168.0.0/24"), NatNamed("port-restricted"));
    AddClient("192.168.0.2:40000", std::string("10.0.0.") + number + "/24",
              &home.network);
  }
  ASSERT_TRUE(ComeUp(5 * kSecond));
  EXPECT_TRUE(Carries(WithHub(hub), kSecond));
  carrier.nat.Reboot();
  EXPECT_TRUE(Carries(WithHub(hub), kBackUs));
  ExpectCleanEnd();
}

// Of the addresses of a hub's name the one that answers is taken.
TEST_F(Laboratory, BothFamiliesLeadToAHub) {
  const Endpoint ipv4 = At("192.0.2.1", 443);
  const Endpoint ipv6 = At("2001:db8::1", 443);
  HubGateway& hub = AddHub("192.0.2.1:443", "10.0.0.1/24", nullptr, {ipv6});
  Site& home = world_.topology().AddSite(
      world_.network(), Address("2001:db8:1::1"),
      *ParseIpPrefix("2001:db8:1::/64"), NatNamed("firewall"));
  AddClient("[2001:db8:1::2]:40000", "10.0.0.2/24", &home.network,
            {ipv6, ipv4});
  AddClient("198.51.100.2:40000", "10.0.0.3/24", nullptr, {ipv6, ipv4});
  ASSERT_TRUE(ComeUp(5 * kSecond));
  EXPECT_EQ(world_.clients()[0]->session()->remote(), ipv6);
  EXPECT_EQ(world_.clients()[1]->session()->remote(), ipv4);
  EXPECT_TRUE(Carries(WithHub(hub), kSecond));
  ExpectCleanEnd();
}

}  // namespace
}  // namespace lwt::world
