// The side towards the outside: ports held and guarded, next hops, names.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "control/outer_side.h"
#include "drivers/scoped_fd.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

using host::At;
using host::Ip;
using host::PortReservation;
using host::Shell;

class OuterSideTest : public OnStand {
 protected:
  static absl::Status Hold(const char* endpoint) {
    return PortReservation::Hold(At(endpoint)).status();
  }
  // As a client's: of its flows' next hops LinkTo tells.
  void MakeClient() {
    config_.mode = config::Mode::kClient;
    Make();
  }
  absl::StatusOr<Endpoint> Open(const char* remote,
                                const peer::PortWish& wish = {}) {
    return outer_->OpenLocal(At(remote), wish);
  }
};

TEST_F(OuterSideTest, AListenerHoldsItsPortAndGuardsAllItsAddresses) {
  ASSERT_TRUE(outer_->Listen(std::vector{At("0.0.0.0:9000")}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Hold("0.0.0.0:9000")));
  EXPECT_TRUE(Guards("10.77.0.1 . 9000"));
  EXPECT_TRUE(Guards("10.78.0.1 . 9000"));
  EXPECT_FALSE(Guards("127.0.0.1")) << "nobody comes by the loopback";
  EXPECT_FALSE(Guards("10.0.0.1")) << "nor by the tunnel";
  outer_.reset();
  EXPECT_TRUE(Hold("0.0.0.0:9000").ok());
  Make();
}

TEST_F(OuterSideTest, AListenerOfBothFamiliesIsTwo) {
  ASSERT_TRUE(outer_->Listen(std::vector{At("[::]:9001")}).ok());
  EXPECT_TRUE(Guards("fd77::1 . 9001"));
  EXPECT_TRUE(Guards("10.77.0.1 . 9001"));
  EXPECT_TRUE(absl::IsAlreadyExists(Hold("0.0.0.0:9001")));
  EXPECT_TRUE(absl::IsAlreadyExists(Hold("[::]:9001")));
  EXPECT_FALSE(Guards("::1 . 9001 }")) << "not the loopback's";
}

TEST_F(OuterSideTest, AListenerAtOneAddressGuardsThatAlone) {
  ASSERT_TRUE(outer_->Listen(std::vector{At("10.77.0.1:9003")}).ok());
  EXPECT_TRUE(Guards("10.77.0.1 . 9003"));
  EXPECT_FALSE(Guards("10.78.0.1"));
}

TEST_F(OuterSideTest, APortThatIsTakenIsNamed) {
  const ScopedFd other(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9002);
  ASSERT_EQ(bind(other.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  ASSERT_EQ(listen(other.get(), 1), 0);
  const absl::Status status = outer_->Listen(std::vector{At("0.0.0.0:9002")});
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_NE(status.message().find("9002"), absl::string_view::npos) << status;
}

TEST_F(OuterSideTest, AddressesThatComeAndGoAreGuardedAsTheyDo) {
  ASSERT_TRUE(outer_->Listen(std::vector{At("0.0.0.0:9000")}).ok());
  Shell("ip address add 10.77.0.9/24 dev wire");
  EXPECT_TRUE(Until([] { return Guards("10.77.0.9 . 9000"); }));
  Shell("ip address del 10.77.0.9/24 dev wire");
  EXPECT_TRUE(Until([] { return !Guards("10.77.0.9"); }));
  EXPECT_TRUE(Guards("10.77.0.1 . 9000"));
}

TEST_F(OuterSideTest, ALocalEndIsHeldForAWhileAfterItsFlow) {
  const auto local = Open("10.77.0.2:9000");
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(local->address, Ip("10.77.0.1"));
  const std::string element = "10.77.0.1 . " + std::to_string(local->port);
  EXPECT_TRUE(Guards(element));
  const std::string text = ToString(*local);
  outer_->CloseLocal(*local);
  const uint64_t closed_us = NowUs();
  outer_->OnTimer(closed_us);
  EXPECT_TRUE(Guards(element)) << "last segments of the peer still come";
  EXPECT_TRUE(absl::IsAlreadyExists(Hold(text.c_str())));
  EXPECT_LE(outer_->NextDeadline(), closed_us + OuterSide::kLingerUs);
  outer_->OnTimer(closed_us + OuterSide::kLingerUs);
  EXPECT_FALSE(Guards(element));
  EXPECT_TRUE(Hold(text.c_str()).ok());
}

TEST_F(OuterSideTest, ClosingWhatIsNotOpenHurtsNoOther) {
  const auto local = Open("10.77.0.2:9000");
  ASSERT_TRUE(local.ok()) << local.status();
  Endpoint other = *local;
  other.port ^= 1;
  outer_->CloseLocal(other);
  outer_->OnTimer(NowUs() + 2 * OuterSide::kLingerUs);
  EXPECT_TRUE(Guards(std::to_string(local->port)));
}

TEST_F(OuterSideTest, PortsLeadToTheWorkerThatIsWished) {
  for (const uint32_t worker : {0u, 1u}) {
    for (const uint32_t hub_worker : {0u, 1u, 2u}) {
      peer::PortWish wish;
      wish.workers = 2;
      wish.worker = {worker};
      wish.hub_workers = 3;
      wish.hub_taken = 0b111 & ~(1u << hub_worker);  // all but one
      const auto local = Open("10.77.0.2:9000", wish);
      ASSERT_TRUE(local.ok()) << local.status();
      EXPECT_EQ((local->port + 9000u) % 2, worker);
      EXPECT_EQ((local->port + 9000u) % 3, hub_worker);
    }
  }
  // Where the hub has none free, ours still counts.
  peer::PortWish wish{.workers = 2, .worker = {1}, .hub_workers = 2};
  wish.hub_taken = 0b11;
  const auto local = Open("10.77.0.2:9000", wish);
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ((local->port + 9000u) % 2, 1u);
}

TEST_F(OuterSideTest, AHubBehindAnotherInterfaceIsNotReachedByThisUplink) {
  const auto local = Open("10.78.0.7:9000");
  EXPECT_TRUE(absl::IsNotFound(local.status()));
  EXPECT_EQ(local.status().message(),
            "no route to 10.78.0.7: the kernel says: No route to host");
  const auto nowhere = Open("198.51.100.1:9000");
  EXPECT_FALSE(nowhere.ok());
  EXPECT_EQ(outer_->SourceTo(Ip("198.51.100.1")), std::nullopt);
  EXPECT_EQ(outer_->SourceTo(Ip("10.77.0.2")), Ip("10.77.0.1"));
  EXPECT_EQ(outer_->SourceTo(Ip("fd77::2")), Ip("fd77::1"));
}

// Those that a kernel's connection would meet.
TEST_F(OuterSideTest, RulesLeadOurFlowsAsTheyLeadTheKernels) {
  Shell(
      "ip route add 192.0.2.0/24 via 10.77.0.2 && "
      "ip route add 192.0.2.0/24 via 10.77.0.33 table 78 && "
      "ip route add 192.0.2.0/24 via 10.77.0.44 table 79");
  const auto hop = [&] {
    const auto route = platform().RouteTo(Ip("192.0.2.9"));
    return route.ok() && route->gateway ? ToString(*route->gateway) : "";
  };
  EXPECT_EQ(hop(), "10.77.0.2");
  Shell("ip rule add ipproto tcp sport 9000 lookup 78");
  EXPECT_EQ(hop(), "10.77.0.33") << "a hub's flows leave by its port";
  Shell(
      "ip rule del ipproto tcp sport 9000 lookup 78 && "
      "ip rule add from 10.77.0.1 lookup 79");
  EXPECT_EQ(hop(), "10.77.0.44") << "and its address";
  Shell(
      "ip rule del from 10.77.0.1 lookup 79 && "
      "ip rule add oif wire ipproto tcp lookup 78");
  EXPECT_EQ(hop(), "10.77.0.33") << "the settings name the device";
  Shell(
      "ip rule del oif wire ipproto tcp lookup 78 && "
      "ip rule add ipproto udp lookup 78");
  EXPECT_EQ(hop(), "10.77.0.2");
  Shell(
      "ip rule del ipproto udp lookup 78 && "
      "ip route del 192.0.2.0/24 via 10.77.0.2");
}

// Of two listen addresses each flow has its own, as a kernel's connection has.
TEST_F(OuterSideTest, AFlowsWayIsFromItsOwnEnd) {
  Shell(
      "ip address add 10.77.0.9/24 dev wire && "
      "ip neigh add 10.77.0.33 lladdr 02:00:00:00:00:33 dev wire && "
      "ip neigh add 10.77.0.44 lladdr 02:00:00:00:00:44 dev wire && "
      "ip route add 192.0.2.0/24 via 10.77.0.33 && "
      "ip route add 192.0.2.0/24 via 10.77.0.44 table 80 && "
      "ip rule add from 10.77.0.9 lookup 80");
  const auto router = [&](const char* local, uint16_t port) {
    const auto route = platform().RouteBy(platform().link().index,
                                          Ip("192.0.2.9"), {Ip(local), port});
    return route.ok() && route->gateway ? ToString(*route->gateway) : "";
  };
  EXPECT_EQ(router("10.77.0.1", 9000), "10.77.0.33");
  EXPECT_EQ(router("10.77.0.9", 9000), "10.77.0.44");
  Shell(
      "ip rule del from 10.77.0.9 lookup 80 && "
      "ip rule add sport 9009 lookup 80");
  EXPECT_EQ(router("10.77.0.1", 9000), "10.77.0.33");
  EXPECT_EQ(router("10.77.0.1", 9009), "10.77.0.44") << "of two ports, too";
  // Both ways are followed at a time, each by its flow.
  outer_->FollowNextHop(FlowId::Of(1, 1, {0}),
                        {At("10.77.0.1:9000"), Ip("192.0.2.9")});
  outer_->FollowNextHop(FlowId::Of(2, 1, {1}),
                        {At("10.77.0.1:9009"), Ip("192.0.2.9")});
  lines_.Take();
  Shell(
      "ip rule del sport 9009 lookup 80 && ip address del 10.77.0.9/24 dev "
      "wire && ip route del 192.0.2.0/24 via 10.77.0.33 && "
      "ip neigh del 10.77.0.33 dev wire && ip neigh del 10.77.0.44 dev wire");
  EXPECT_TRUE(Until([&] {
    return lines_.Take().find("the next hop to 192.0.2.9 does not answer") !=
           std::string::npos;
  }));
  outer_->ForgetNextHop(FlowId::Of(1, 1, {0}));
  outer_->ForgetNextHop(FlowId::Of(2, 1, {1}));
  outer_->ForgetNextHop(FlowId::Of(2, 1, {1}));
}

TEST_F(OuterSideTest, ARenamedUplinkIsGuardedByItsNewName) {
  int moved = 0;
  outer_->OnUplinkMoved([&] { ++moved; });
  const auto local = Open("10.77.0.2:9000");
  ASSERT_TRUE(local.ok()) << local.status();
  for (const char* const name : {"wire2", "wire"}) {
    const std::string before = platform().link().name;
    const int want = moved + 1;
    Shell("ip link set " + before + " name " + name);
    EXPECT_TRUE(Until([&] { return moved == want; })) << name;
    EXPECT_EQ(platform().uplink().info().device, name);
    EXPECT_TRUE(
        Guards(ToString(local->address) + " . " + std::to_string(local->port)));
    EXPECT_TRUE(Until([&] { return outer_->NextDeadline() > NowUs(); }));
  }
  outer_->OnTimer(NowUs() + UplinkFollower::kGuardUs);
  EXPECT_EQ(host::OutputOf("nft list tables | grep -c lwt_"), "1\n");
}

TEST_F(OuterSideTest, AnUplinkThatIsDownIsWaitedForAndFoundAgain) {
  int back = 0;
  outer_->OnWayBack([&] { ++back; });
  Shell("ip link set wire down");
  telemetry::Status status;
  EXPECT_TRUE(Until([&] {
    status = {};
    outer_->Report(status, NowUs());
    return !status.uplink.reason.empty();
  }));
  EXPECT_EQ(status.uplink.reason,
            "no uplink: wire (named in the configuration) is down; `ip link "
            "set wire up` brings it up");
  EXPECT_FALSE(Open("10.77.0.2:9000").ok());
  Shell("ip link set wire up && ip address add fd77::1/64 dev wire nodad");
  EXPECT_TRUE(Until([&] {
    status = {};
    outer_->Report(status, NowUs());
    return status.uplink.reason.empty();
  }));
  const std::string lines = lines_.Take();
  EXPECT_NE(lines.find("; waiting for one"), std::string::npos) << lines;
  EXPECT_NE(lines.find("uplink wire again"), std::string::npos) << lines;
}

TEST_F(OuterSideTest, ANextHopIsKnownOnceItsNeighbourAnswers) {
  EXPECT_EQ(outer_->LinkTo(Ip("10.77.0.2")), std::nullopt);
  EXPECT_EQ(outer_->LinkProblem(Ip("10.77.0.2")),
            "its next hop is not followed");
  ASSERT_TRUE(Open("10.77.0.2:9000").ok());
  EXPECT_TRUE(
      Until([&] { return outer_->LinkTo(Ip("10.77.0.2")).has_value(); }));
  // One that nobody has never does, and the operator reads why.
  ASSERT_TRUE(Open("10.77.0.99:9000").ok());
  EXPECT_TRUE(Until([&] {
    return outer_->LinkProblem(Ip("10.77.0.99")).find("10.77.0.99") !=
           std::string::npos;
  })) << outer_->LinkProblem(Ip("10.77.0.99"));
  EXPECT_EQ(outer_->LinkTo(Ip("10.77.0.99")), std::nullopt);
}

TEST_F(OuterSideTest, FlowsToOneHopAreFollowedUntilTheLastIsGone) {
  MakeClient();
  const IpAddress hop = Ip("10.77.0.2");
  const FlowId first = FlowId::Of(1, 1, {0});
  const FlowId second = FlowId::Of(2, 1, {1});
  outer_->FollowNextHop(first, {At("10.77.0.1:9000"), hop});
  outer_->FollowNextHop(second, {At("10.77.0.1:9000"), hop});
  ASSERT_TRUE(Until([&] { return outer_->LinkTo(hop).has_value(); }));
  outer_->ForgetNextHop(first);
  outer_->ForgetNextHop(first);  // twice is once
  EXPECT_TRUE(outer_->LinkTo(hop).has_value());
  outer_->ForgetNextHop(second);
  EXPECT_EQ(outer_->LinkTo(hop), std::nullopt);
  EXPECT_EQ(outer_->LinkProblem(hop), "its next hop is not followed");
}

TEST_F(OuterSideTest, TheDeviceTakesWhatSessionsPropose) {
  const auto shown = [] { return host::OutputOf("ip link show dev lwt7"); };
  outer_->SetInnerMtu(1300);
  EXPECT_NE(shown().find("mtu 1300"), std::string::npos) << shown();
  EXPECT_NE(lines_.Take().find("inner MTU of lwt7 is 1300"), std::string::npos);
  outer_->SetInnerMtu(1300);
  EXPECT_EQ(lines_.TakeCount(), 0u) << "nothing changed";
  outer_->SetInnerMtu(60'000);
  const uint16_t most = outer_->MaxInnerMtu(At("10.77.0.2:1"));
  EXPECT_NE(shown().find("mtu " + std::to_string(most)), std::string::npos)
      << shown();
  outer_->SetInnerMtu(0);
}

TEST_F(OuterSideTest, AnIpv6HeaderTakesTwentyBytesMore) {
  EXPECT_EQ(outer_->MaxInnerMtu(At("10.77.0.2:1")),
            outer_->MaxInnerMtu(At("[fd77::2]:1")) + 20);
}

TEST_F(OuterSideTest, TheNewestQuestionIsAnswered) {
  std::vector<Endpoint> found;
  int answers = 0;
  outer_->OnHubFound([&](absl::StatusOr<std::vector<Endpoint>> endpoints) {
    ++answers;
    ASSERT_TRUE(endpoints.ok()) << endpoints.status();
    found = *endpoints;
  });
  outer_->Resolve("192.0.2.7", 9000);
  outer_->Resolve("192.0.2.8", 9000);
  ASSERT_TRUE(Until([&] { return answers > 0; }));
  EXPECT_EQ(found, std::vector<Endpoint>{At("192.0.2.8:9000")});
  outer_->Resolve("192.0.2.8", 9000);
  outer_->OnHubFound({});  // who asked is gone
  names_->OnReady();
  EXPECT_EQ(answers, 1);
}

// A hop that was lost and is back is what may have forgotten us.
TEST_F(OuterSideTest, AHopThatFallsSilentAndAnswersAgainIsTold) {
  ASSERT_TRUE(Open("10.77.0.2:9000").ok());  // LinkTo tells of it
  const IpAddress hop = Ip("10.77.0.2");
  int ways_back = 0;
  outer_->OnWayBack([&] { ++ways_back; });
  outer_->FollowNextHop(FlowId::Of(1, 1, {0}), {At("10.77.0.1:9000"), hop});
  ASSERT_TRUE(Until([&] { return outer_->LinkTo(hop).has_value(); }));
  EXPECT_EQ(ways_back, 0) << "it was never lost";
  lines_.Take();
  const auto there = [](const char* command) {
    const host::InNetns in(kStand->there());
    Shell(command);
  };
  std::string said;
  const auto is_said = [&](const char* what) {
    said += lines_.Take();
    return said.find(what) != std::string::npos;
  };
  there("ip link set wire down");
  EXPECT_TRUE(Until([&] {
    return is_said("the next hop to 10.77.0.2 does not answer");
  })) << said;
  EXPECT_TRUE(outer_->LinkTo(hop).has_value()) << "the last one is kept";
  there("ip link set wire up && ip address add fd77::2/64 dev wire nodad");
  EXPECT_TRUE(Until([&] {
    return is_said("the next hop to 10.77.0.2 answers again");
  })) << said;
  EXPECT_EQ(ways_back, 1);
  outer_->OnWayBack({});
  host::WaitUntilLinkIsUp("wire");
}

TEST_F(OuterSideTest, OfAHopThatNobodyFollowsNothingIsSaid) {
  ASSERT_TRUE(Open("10.77.0.99:9000").ok());
  ASSERT_TRUE(Until([&] {
    return outer_->LinkProblem(Ip("10.77.0.99")).find("has not answered") !=
           std::string::npos;
  }));
  EXPECT_EQ(lines_.Take().find("10.77.0.99"), std::string::npos);
}

TEST_F(OuterSideTest, AnotherMtuOfTheLinkIsFollowed) {
  const uint16_t most = outer_->MaxInnerMtu(At("10.77.0.2:1"));
  Shell("ip link set wire mtu 1400");
  std::string said;
  EXPECT_TRUE(Until([&] {
    said += lines_.Take();
    return said.find("uplink wire has MTU 1400") != std::string::npos;
  })) << said;
  EXPECT_EQ(outer_->MaxInnerMtu(At("10.77.0.2:1")), most - 100);
  Shell("ip link set wire mtu 1500");
  EXPECT_TRUE(
      Until([&] { return outer_->MaxInnerMtu(At("10.77.0.2:1")) == most; }));
}

TEST_F(OuterSideTest, NetworksOfPeersAreRoutedAsTheSettingsChange) {
  const auto leads = [](const char* network) {
    return host::OutputOf("ip route show dev lwt7").find(network) !=
           std::string::npos;
  };
  outer_->SetNetworks(
      {*ParseIpPrefix("192.0.2.0/24"), *ParseIpPrefix("10.50.0.0/16")});
  EXPECT_TRUE(leads("192.0.2.0/24"));
  EXPECT_TRUE(leads("10.50.0.0/16"));
  // One that the host has elsewhere is refused by name, the others are done.
  Shell("ip route add 198.51.100.0/24 via 10.77.0.2");
  lines_.Take();
  outer_->SetNetworks({*ParseIpPrefix("10.50.0.0/16"),
                       *ParseIpPrefix("198.51.100.0/24"),
                       *ParseIpPrefix("203.0.113.0/24")});
  const std::string said = lines_.Take();
  EXPECT_NE(said.find("another route leads to 198.51.100.0/24"),
            std::string::npos)
      << said;
  EXPECT_FALSE(leads("192.0.2.0/24"));
  EXPECT_TRUE(leads("10.50.0.0/16"));
  EXPECT_TRUE(leads("203.0.113.0/24"));
  Shell("ip route del 198.51.100.0/24");
  EXPECT_TRUE(outer_->Apply(config_, NowUs()).ok()) << "tried again";
  EXPECT_TRUE(leads("198.51.100.0/24"));
  outer_->SetNetworks({});
  EXPECT_EQ(host::OutputOf("ip route show dev lwt7 proto 108"), "");
}

TEST_F(OuterSideTest, WhatRoutesLeadElsewhereIsToldWithoutTheTunnels) {
  outer_->SetNetworks({*ParseIpPrefix("10.50.0.0/16")});
  Shell("ip route add 198.51.100.0/24 via 10.77.0.2");
  const std::vector<IpPrefix> elsewhere = outer_->NetworksElsewhere();
  const auto has = [&](const char* network) {
    return std::find(elsewhere.begin(), elsewhere.end(),
                     *ParseIpPrefix(network)) != elsewhere.end();
  };
  EXPECT_TRUE(has("198.51.100.0/24"));
  EXPECT_FALSE(has("10.50.0.0/16")) << "ours";
  Shell("ip route del 198.51.100.0/24");
  EXPECT_EQ(outer_->NetworksElsewhere().size() + 1, elsewhere.size());
  outer_->SetNetworks({});
}

// What others took is passed over without asking who they are.
TEST_F(OuterSideTest, APortThatIsTakenIsPassedOver) {
  const auto near = Open("10.77.0.2:9000", {.workers = 2, .worker = {1}});
  ASSERT_TRUE(near.ok()) << near.status();
  std::vector<PortReservation> taken;
  for (uint32_t port = 32769; port < 33769; port += 2) {
    auto held = PortReservation::HoldIfFree(
        {Ip("10.77.0.1"), static_cast<uint16_t>(port)});
    if (held.ok()) taken.push_back(*std::move(held));
  }
  ASSERT_GT(taken.size(), 400u);
  for (int i = 0; i < 50; ++i) {
    const auto local = Open("10.77.0.2:9000", {.workers = 2, .worker = {1}});
    ASSERT_TRUE(local.ok()) << local.status();
    EXPECT_EQ((local->port + 9000u) % 2, 1u);
    EXPECT_TRUE(std::none_of(taken.begin(), taken.end(),
                             [&](const PortReservation& held) {
                               return held.endpoint() == *local;
                             }));
  }
}

TEST_F(OuterSideTest, TheWallClockIsTheHosts) {
  const uint64_t before = static_cast<uint64_t>(time(nullptr)) * 1000;
  const uint64_t told = outer_->UnixMs();
  EXPECT_GE(told + 1000, before);
  EXPECT_LE(told, static_cast<uint64_t>(time(nullptr) + 1) * 1000);
}

}  // namespace
}  // namespace lwt
