// Routes of ours to the tunnel device, next to those of somebody else, who may
// be an operator or another program: what the kernel says of both.
#include <net/if.h>

#include <memory>
#include <optional>
#include <string>

#include "control/host/net/netlink_monitor.h"
#include "control/host/net/tunnel_keeper.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

constexpr uint64_t kOneSecond = 1'000'000;

IpPrefix RouteNet(std::string_view text) { return *ParseIpPrefix(text); }

// "wire" stands for the tunnel device, "more" for another of the host.
class TunnelRoutesTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    Shell("ip link add more type veth peer name far");
    Shell("ip link set more up && ip link set far up");
    WaitUntilLinkIsUp("more");
    netlink_ = *Netlink::Open();
    wire_ = static_cast<int>(if_nametoindex("wire"));
    more_ = static_cast<int>(if_nametoindex("more"));
    monitor_ = *NetlinkMonitor::Open();
    Keep({});
  }
  void Keep(std::vector<IpPrefix> networks) {
    keeper_.emplace(*netlink_, mtu_,
                    TunnelKeeper::Spec{.ifindex = wire_,
                                       .addresses = {},
                                       .networks = std::move(networks)});
  }
  std::vector<std::string> Look() {
    now_us_ += kOneSecond;
    keeper_->HostChanged(monitor_->Drain(), now_us_);
    if (keeper_->next_deadline_us() == UINT64_MAX) return {};
    return keeper_->OnTimer(now_us_);
  }
  // Of both families, as `ip` prints them.
  static std::string Routes(const std::string& which) {
    return OutputOf("ip route show " + which) +
           OutputOf("ip -6 route show " + which);
  }
  static bool Leads(const char* address, const char* device) {
    return OutputOf(std::string("ip route get ") + address)
               .find(std::string("dev ") + device) != std::string::npos;
  }
  std::vector<IpPrefix> Ours() { return *netlink_->OwnRoutes(wire_); }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
  std::unique_ptr<NetlinkMonitor> monitor_;
  TunnelMtu mtu_{
      [] {
        return TunnelMtu::Bounds{.least = 1280, .most = 1500, .alone = 1500};
      },
      [this](uint16_t mtu) { return netlink_->SetLinkMtu(wire_, mtu); }};
  std::optional<TunnelKeeper> keeper_;
  int wire_ = 0;
  int more_ = 0;
  uint64_t now_us_ = 10 * kOneSecond;
};

// Those that are new come, the others go, and what an operator gave stays.
TEST_F(TunnelRoutesTest, ItsAddressesFollowWhatIsLeased) {
  const auto addresses = [] { return OutputOf("ip -o address show dev wire"); };
  Shell("ip address add 10.99.0.1/24 dev wire");
  ASSERT_TRUE(
      keeper_->SetAddresses({RouteNet("10.79.0.7/24"), RouteNet("fd79::7/64")})
          .ok());
  EXPECT_NE(addresses().find("10.79.0.7/24"), std::string::npos);
  EXPECT_NE(addresses().find("fd79::7/64"), std::string::npos);
  ASSERT_TRUE(
      keeper_->SetAddresses({RouteNet("10.78.0.7/16"), RouteNet("fd79::7/64")})
          .ok());
  EXPECT_EQ(addresses().find("10.79.0.7/24"), std::string::npos);
  EXPECT_NE(addresses().find("10.78.0.7/16"), std::string::npos);
  EXPECT_NE(addresses().find("fd79::7/64"), std::string::npos);
  EXPECT_NE(addresses().find("10.99.0.1/24"), std::string::npos);
  // One that somebody took comes back, as it is ours now.
  Look();
  Shell("ip address del 10.78.0.7/16 dev wire");
  EXPECT_FALSE(Look().empty());
  EXPECT_NE(addresses().find("10.78.0.7/16"), std::string::npos);
  // One that is gone already is no fault.
  Shell("ip address del 10.78.0.7/16 dev wire");
  EXPECT_TRUE(keeper_->SetAddresses({}).ok());
  // Nothing of it is left behind, where the device is.
  ASSERT_TRUE(keeper_->SetAddresses({RouteNet("10.79.0.8/24")}).ok());
  keeper_.reset();
  EXPECT_EQ(addresses().find("10.79.0.8/24"), std::string::npos);
  EXPECT_NE(addresses().find("10.99.0.1/24"), std::string::npos);
}

// The kernel takes all routes of a device away with its last address.
TEST_F(TunnelRoutesTest, ANewLeaseLosesNoRoute) {
  Shell("ip address flush dev wire");
  ASSERT_TRUE(keeper_->SetAddresses({RouteNet("10.79.0.7/24")}).ok());
  ASSERT_TRUE(keeper_->SetNetworks({RouteNet("192.0.2.0/24")}).ok());
  ASSERT_TRUE(keeper_->SetAddresses({RouteNet("10.79.0.8/24")}).ok());
  EXPECT_NE(OutputOf("ip route show dev wire").find("192.0.2.0/24"),
            std::string::npos);
}

// By which an operator, and a run after one that was killed, know them.
TEST_F(TunnelRoutesTest, OursHaveANumberAndAMetricOfTheirOwn) {
  ASSERT_TRUE(
      keeper_->SetNetworks({RouteNet("10.79.0.0/16"), RouteNet("fd79::/64")})
          .ok());
  const std::string ours = Routes("proto 108");
  EXPECT_NE(ours.find("10.79.0.0/16 dev wire"), std::string::npos) << ours;
  EXPECT_NE(ours.find("fd79::/64 dev wire"), std::string::npos) << ours;
  EXPECT_NE(ours.find("metric 2048"), std::string::npos) << ours;
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  keeper_.reset();
  EXPECT_EQ(Routes("proto 108"), "") << "they go with the keeper";
}

TEST_F(TunnelRoutesTest, OfAllRoutesOursAreThoseOfDeviceTableAndNumber) {
  for (const char* text : {"10.79.0.0/16", "fd79::/64", "10.79.5.0/24"}) {
    ASSERT_TRUE(netlink_->AddRoute(wire_, RouteNet(text)).ok()) << text;
  }
  Shell("ip route add 10.80.0.0/16 dev wire proto static");
  Shell("ip route add 10.81.0.0/16 dev more proto 108");
  Shell("ip route add 10.82.0.0/16 dev wire proto 108 table 100");
  Shell("ip -6 route add fd80::/64 dev wire proto static");
  Shell("ip -6 route add fd81::/64 dev more proto 108");
  Shell("ip -6 route add fd82::/64 dev wire proto 108 table 100");
  EXPECT_EQ(Ours(), (std::vector<IpPrefix>{RouteNet("10.79.0.0/16"),
                                           RouteNet("10.79.5.0/24"),
                                           RouteNet("fd79::/64")}));
  EXPECT_EQ(netlink_->OwnRoutes(more_)->size(), 2u);
  EXPECT_TRUE(netlink_->OwnRoutes(more_ + 1000)->empty());
  // And no other can be taken back as ours.
  for (const char* text :
       {"10.80.0.0/16", "10.81.0.0/16", "10.82.0.0/16", "fd80::/64",
        "fd81::/64", "fd82::/64", "10.79.0.0/17", "10.77.0.0/24"}) {
    EXPECT_TRUE(absl::IsNotFound(netlink_->RemoveRoute(wire_, RouteNet(text))))
        << text;
  }
  EXPECT_EQ(Ours().size(), 3u);
}

TEST_F(TunnelRoutesTest, SomebodyElsesToTheSameNetworkIsNeverRemoved) {
  Shell("ip route add 10.79.0.0/16 dev more proto static");
  Shell("ip -6 route add fd79::/64 dev more proto static metric 10");
  const std::vector<IpPrefix> both = {RouteNet("10.79.0.0/16"),
                                      RouteNet("fd79::/64")};
  const absl::Status status = keeper_->SetNetworks(both);
  for (const IpPrefix& network : both) {
    EXPECT_NE(status.message().find(ToString(network)), absl::string_view::npos)
        << status;
  }
  EXPECT_TRUE(Leads("10.79.1.1", "more")) << "the operator's counts";
  EXPECT_TRUE(keeper_->SetNetworks({}).ok());
  EXPECT_TRUE(Ours().empty());
  const std::string left = Routes("proto static");
  EXPECT_NE(left.find("10.79.0.0/16 dev more"), std::string::npos) << left;
  EXPECT_NE(left.find("fd79::/64 dev more"), std::string::npos) << left;
}

// Ours was put behind the other one, and counts now: no fault is left to tell.
TEST_F(TunnelRoutesTest, WhenTheOtherIsGoneOursCountsAndIsNoFault) {
  Shell("ip route add 10.79.0.0/16 dev more");
  Shell("ip -6 route add fd79::/64 dev more metric 10");
  const std::vector<IpPrefix> both = {RouteNet("10.79.0.0/16"),
                                      RouteNet("fd79::/64")};
  ASSERT_FALSE(keeper_->SetNetworks(both).ok());
  Shell("ip route del 10.79.0.0/16 dev more");
  Shell("ip -6 route del fd79::/64 dev more metric 10");
  EXPECT_TRUE(Look().empty());
  EXPECT_EQ(keeper_->SetNetworks(both), absl::OkStatus());
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  EXPECT_TRUE(Leads("fd79::1", "wire"));
  EXPECT_EQ(Ours(), both);
  EXPECT_TRUE(keeper_->SetNetworks({}).ok());
  EXPECT_TRUE(Ours().empty());
}

// One of our metric leaves no room for ours until it goes.
TEST_F(TunnelRoutesTest, AnotherOfOurMetricIsFollowedByOurs) {
  Shell("ip route add 10.79.0.0/16 dev more metric 2048");
  ASSERT_FALSE(keeper_->SetNetworks({RouteNet("10.79.0.0/16")}).ok());
  EXPECT_TRUE(Ours().empty());
  EXPECT_TRUE(Look().empty()) << "while it is there, nothing is said again";
  Shell("ip route del 10.79.0.0/16 dev more metric 2048");
  EXPECT_EQ(Look(), std::vector<std::string>{
                        "the route to 10.79.0.0/16 was gone: it is back"});
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  EXPECT_TRUE(keeper_->SetNetworks({RouteNet("10.79.0.0/16")}).ok());
}

TEST_F(TunnelRoutesTest, OnesAroundAndWithinLeadWhereTheyDid) {
  Shell(
      "ip route add 10.0.0.0/8 dev more && "
      "ip route add 10.79.7.0/24 dev more && "
      "ip -6 route add fd00::/8 dev more && "
      "ip -6 route add fd79:0:0:0:7::/80 dev more");
  EXPECT_EQ(
      keeper_->SetNetworks({RouteNet("10.79.0.0/16"), RouteNet("fd79::/64")}),
      absl::OkStatus());
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  EXPECT_TRUE(Leads("10.79.7.1", "more"));
  EXPECT_TRUE(Leads("10.80.1.1", "more"));
  EXPECT_TRUE(Leads("fd79::1", "wire"));
  EXPECT_TRUE(Leads("fd79:0:0:0:7::1", "more"));
}

// A longer one at an end of the network does not hide that the whole is led
// elsewhere.
TEST_F(TunnelRoutesTest, OnesWithinDoNotHideOneOfTheSameLength) {
  Shell(
      "ip route add 10.79.0.0/16 dev more && "
      "ip route add 10.79.0.0/24 dev more && "
      "ip -6 route add fd79::/64 dev more metric 10 && "
      "ip -6 route add fd79::/80 dev more metric 10");
  for (const char* text : {"10.79.0.0/16", "fd79::/64"}) {
    const absl::Status status = keeper_->SetNetworks({RouteNet(text)});
    EXPECT_NE(status.message().find("another route leads to"),
              absl::string_view::npos)
        << text << ": " << status;
  }
}

// Nor is a network led to the device that the operator leads nowhere.
TEST_F(TunnelRoutesTest, ANetworkThatIsLedNowhereIsRefused) {
  for (const char* type : {"blackhole", "unreachable", "prohibit"}) {
    Shell(std::string("ip route add ") + type + " 10.79.0.0/16");
    Shell(std::string("ip -6 route add ") + type + " fd79::/64 metric 10");
    for (const char* text : {"10.79.0.0/16", "fd79::/64"}) {
      EXPECT_FALSE(keeper_->SetNetworks({RouteNet(text)}).ok())
          << type << " " << text;
    }
    EXPECT_TRUE(keeper_->SetNetworks({}).ok());
    EXPECT_NE(Routes("type " + std::string(type)).find("10.79.0.0/16"),
              std::string::npos);
    Shell(std::string("ip route del ") + type + " 10.79.0.0/16");
    Shell(std::string("ip -6 route del ") + type + " fd79::/64 metric 10");
  }
  // One around it is none: the longer prefix counts.
  Shell(
      "ip route add blackhole 10.0.0.0/8 && "
      "ip -6 route add blackhole fd00::/8");
  EXPECT_EQ(
      keeper_->SetNetworks({RouteNet("10.79.0.0/16"), RouteNet("fd79::/64")}),
      absl::OkStatus());
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  EXPECT_TRUE(Leads("fd79::1", "wire"));
}

// An operator's to the same device is as good as ours, and outlives it.
TEST_F(TunnelRoutesTest, OnesToTheSameDeviceIsNoConflict) {
  Shell("ip route add 10.79.0.0/16 dev wire proto static");
  EXPECT_EQ(keeper_->SetNetworks({RouteNet("10.79.0.0/16")}), absl::OkStatus());
  EXPECT_TRUE(keeper_->SetNetworks({}).ok());
  EXPECT_TRUE(Leads("10.79.1.1", "wire"));
  EXPECT_EQ(Ours().size(), 0u);
}

TEST_F(TunnelRoutesTest, WhatSomebodyFlushedComesBackAndIsSaid) {
  ASSERT_TRUE(
      keeper_->SetNetworks({RouteNet("10.79.0.0/16"), RouteNet("fd79::/64")})
          .ok());
  EXPECT_TRUE(Look().empty());
  Shell("ip route flush proto 108 && ip -6 route flush proto 108");
  EXPECT_EQ(Look().size(), 2u);
  EXPECT_EQ(Ours().size(), 2u);
  EXPECT_TRUE(Look().empty()) << "of its own change there is nothing to tell";
  // What is no longer wanted stays away.
  ASSERT_TRUE(keeper_->SetNetworks({RouteNet("fd79::/64")}).ok());
  Shell("ip -6 route flush proto 108");
  EXPECT_EQ(Look(), std::vector<std::string>{
                        "the route to fd79::/64 was gone: it is back"});
  EXPECT_EQ(Ours(), std::vector<IpPrefix>{RouteNet("fd79::/64")});
}

// That somebody flushed what is to go anyway is no fault.
TEST_F(TunnelRoutesTest, WhatIsGoneAlreadyIsTakenBackWithoutAWord) {
  ASSERT_TRUE(keeper_->SetNetworks({RouteNet("10.79.0.0/16")}).ok());
  Shell("ip route flush proto 108");
  EXPECT_EQ(keeper_->SetNetworks({}), absl::OkStatus());
}

// One that cannot be does not keep the others away.
TEST_F(TunnelRoutesTest, OfSeveralTheRestIsDone) {
  Shell("ip route add 10.79.0.0/16 dev more");
  const absl::Status status =
      keeper_->SetNetworks({RouteNet("10.78.0.0/16"), RouteNet("10.79.0.0/16"),
                            RouteNet("10.80.0.0/16")});
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(status.message().find("10.78.0.0"), absl::string_view::npos);
  EXPECT_TRUE(Leads("10.78.1.1", "wire"));
  EXPECT_TRUE(Leads("10.80.1.1", "wire"));
  EXPECT_TRUE(Leads("10.79.1.1", "more"));
}

TEST_F(TunnelRoutesTest, OnlyAChangeThatMayBeOfTheDeviceIsLookedAt) {
  HostChanges changes;
  changes.links = {more_};
  changes.addresses = {more_};
  keeper_->HostChanged(changes, now_us_);
  EXPECT_EQ(keeper_->next_deadline_us(), UINT64_MAX);
  changes.addresses.push_back(wire_);
  keeper_->HostChanged(changes, now_us_);
  EXPECT_EQ(keeper_->next_deadline_us(), now_us_);
  // Further ones put the look off no more.
  keeper_->HostChanged(changes, now_us_ + 5);
  EXPECT_EQ(keeper_->next_deadline_us(), now_us_);
}

}  // namespace
}  // namespace lwt::host
