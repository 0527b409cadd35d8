// What the kernel refuses, as an operator reads it; and which of several
// answers counts.
#include <net/if.h>
#include <sys/socket.h>

#include "control/host/net/netlink.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

class NetlinkRefusalsTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    auto netlink = Netlink::Open();
    ASSERT_TRUE(netlink.ok()) << netlink.status();
    netlink_ = *std::move(netlink);
    wire_ = static_cast<int>(if_nametoindex("wire"));
  }
  static IpPrefix Net(std::string_view text) {
    return ParseIpPrefix(text).value();
  }
  static std::string Message(const absl::Status& status) {
    return std::string(status.message());
  }
  static bool Has(const std::string& command, const std::string& part) {
    return OutputOf(command).find(part) != std::string::npos;
  }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
  int wire_ = 0;
};

constexpr int kNoLink = 99'999;

TEST_F(NetlinkRefusalsTest, EachRequestNamesItsLinkAndFails) {
  const std::pair<absl::Status, std::string> rows[] = {
      {netlink_->SetLinkUp(kNoLink, true),
       "setting interface number 99999 up: "},
      {netlink_->SetLinkUp(kNoLink, false),
       "setting interface number 99999 down: "},
      {netlink_->SetLinkMtu(kNoLink, 1400),
       "setting the MTU of interface number 99999 to 1400: "},
      {netlink_->AddAddress(kNoLink, Net("10.5.0.1/24")),
       "adding 10.5.0.1/24 to interface number 99999: "},
      {netlink_->AddAddress(kNoLink, Net("fd05::1/64")),
       "adding fd05::1/64 to interface number 99999: "},
      {netlink_->AddRoute(kNoLink, Net("10.5.0.0/24")),
       "routing 10.5.0.0/24 to interface number 99999: "},
      {netlink_->RefreshNeighbour(kNoLink, Ip("10.5.0.9")),
       "refreshing the neighbour 10.5.0.9 on interface number 99999: "},
      {netlink_->NeighbourOf(kNoLink, Ip("10.5.0.9")).status(),
       "neighbour 10.5.0.9 on interface number 99999: "},
  };
  for (const auto& [status, begin] : rows) {
    EXPECT_FALSE(status.ok()) << begin;
    EXPECT_TRUE(Message(status).starts_with(begin)) << status;
    EXPECT_GT(Message(status).size(), begin.size()) << "and the reason";
  }
}

// One that was asked before is no part of the next answer.
TEST_F(NetlinkRefusalsTest, ARefusalLeavesNothingBehind) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(netlink_->SetLinkMtu(kNoLink, 1400).ok());
    const auto link = netlink_->LinkByIndex(wire_);
    ASSERT_TRUE(link.ok()) << link.status();
    EXPECT_EQ(link->name, "wire");
    EXPECT_FALSE(netlink_->RouteTo(Ip("198.51.100.1")).ok());
    const auto route = netlink_->RouteTo(Ip("10.77.0.2"));
    ASSERT_TRUE(route.ok()) << route.status();
    EXPECT_EQ(route->ifindex, wire_);
  }
}

TEST_F(NetlinkRefusalsTest, AnMtuThatADriverDoesNotTakeStaysAsItIs) {
  EXPECT_FALSE(netlink_->SetLinkMtu(wire_, 10).ok());
  EXPECT_FALSE(netlink_->SetLinkMtu(wire_, 1u << 30).ok());
  EXPECT_EQ(netlink_->LinkByIndex(wire_)->mtu, 1500u);
  EXPECT_TRUE(netlink_->SetLinkMtu(wire_, 1400).ok());
  EXPECT_EQ(netlink_->LinkByIndex(wire_)->mtu, 1400u);
}

TEST_F(NetlinkRefusalsTest, APrefixLongerThanItsAddressIsNotAskedFor) {
  IpPrefix wrong = Net("10.5.0.1/32");
  wrong.length = 33;
  for (const absl::Status& status :
       {netlink_->AddAddress(wire_, wrong), netlink_->AddRoute(wire_, wrong),
        netlink_->RemoveRoute(wire_, wrong)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(Message(status).find("beyond the address's bits"),
              std::string::npos)
        << status;
  }
  EXPECT_FALSE(Has("ip address show dev wire", "10.5.0.1"));
}

TEST_F(NetlinkRefusalsTest, AnAddressThatIsThereIsWhatWasAskedFor) {
  EXPECT_TRUE(netlink_->AddAddress(wire_, Net("10.77.0.1/24")).ok());
  EXPECT_TRUE(netlink_->AddAddress(wire_, Net("fd77::1/64")).ok());
  EXPECT_EQ(netlink_->AddressesOf(wire_)->size(), 3u) << "with the link's own";
}

// Of the kernel's refusals only "it exists" is no failure.
TEST_F(NetlinkRefusalsTest, AnAddressThatNoLinkCanHaveIsRefused) {
  for (const char* text : {"::1/128", "::/64", "ff02::5/64"}) {
    const absl::Status refused = netlink_->AddAddress(wire_, Net(text));
    EXPECT_FALSE(refused.ok()) << text;
    EXPECT_NE(Message(refused).find("to interface number"), std::string::npos)
        << refused;
  }
  EXPECT_EQ(netlink_->AddressesOf(wire_)->size(), 3u);
}

TEST_F(NetlinkRefusalsTest, ANeighbourThatNobodyAskedForIsUnknown) {
  const auto neighbour = netlink_->NeighbourOf(wire_, Ip("10.77.0.99"));
  ASSERT_TRUE(neighbour.ok()) << neighbour.status();
  EXPECT_EQ(neighbour->state, NeighbourState::kUnknown);
  EXPECT_FALSE(neighbour->usable());
  EXPECT_EQ(neighbour->address, Ip("10.77.0.99"));
}

TEST_F(NetlinkRefusalsTest, WhereIpv6IsOffTheSwitchIsNamed) {
  Shell("sysctl -qw net.ipv6.conf.wire.disable_ipv6=1");
  const absl::Status refused = netlink_->AddAddress(wire_, Net("fd05::1/64"));
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_NE(
      Message(refused).find("`sysctl -w net.ipv6.conf.all.disable_ipv6=0`"),
      std::string::npos)
      << refused;
  EXPECT_TRUE(netlink_->AddAddress(wire_, Net("10.5.0.1/24")).ok())
      << "IPv4 is another matter";
}

// An interface that runs but was given nothing to send from.
TEST_F(NetlinkRefusalsTest, ARouteWithoutASourceSaysWhatIsMissing) {
  Shell("ip link add bare type veth peer name far && ip link set bare up");
  Shell("ip link set far up && ip route add 192.0.2.0/24 dev bare");
  Shell("ip address flush dev wire && ip address flush dev lo");
  const auto route = netlink_->RouteTo(Ip("192.0.2.1"));
  EXPECT_TRUE(absl::IsNotFound(route.status())) << route.status();
  const int bare = static_cast<int>(if_nametoindex("bare"));
  EXPECT_EQ(Message(route.status()),
            "no route to 192.0.2.1: interface number " + std::to_string(bare) +
                " has no address to send from; give it one with `ip address "
                "add`");
}

TEST_F(NetlinkRefusalsTest, ARouteThatLeadsNowhereIsNone) {
  for (const char* kind : {"unreachable", "prohibit", "blackhole"}) {
    Shell(std::string("ip route replace ") + kind + " 192.0.2.0/24");
    const auto route = netlink_->RouteTo(Ip("192.0.2.1"));
    EXPECT_TRUE(absl::IsNotFound(route.status())) << kind << route.status();
    EXPECT_TRUE(Message(route.status()).starts_with("no route to 192.0.2.1: "))
        << route.status();
  }
}

TEST_F(NetlinkRefusalsTest, TheRoutesOwnMtuCountsBeforeTheLinks) {
  EXPECT_EQ(netlink_->RouteTo(Ip("10.77.0.2"))->mtu, 1500u);
  Shell("ip route add 192.0.2.0/24 via 10.77.0.2 mtu 1320");
  const auto route = netlink_->RouteTo(Ip("192.0.2.1"));
  ASSERT_TRUE(route.ok()) << route.status();
  EXPECT_EQ(route->mtu, 1320u);
  EXPECT_EQ(route->gateway, Ip("10.77.0.2"));
  EXPECT_EQ(route->NextHop(Ip("192.0.2.1")), Ip("10.77.0.2"));
  EXPECT_FALSE(route->local);
  EXPECT_TRUE(netlink_->RouteTo(Ip("10.77.0.1"))->local);
}

// Of several default routes the kernel takes that of the least metric; those of
// other tables and those that refuse do not count.
TEST_F(NetlinkRefusalsTest, TheDefaultRouteIsThatOfTheLeastMetric) {
  Shell("ip link add more type veth peer name far && ip link set more up");
  Shell("ip link set far up && ip address add 10.78.0.1/24 dev more");
  const int more = static_cast<int>(if_nametoindex("more"));
  Shell("ip route add default via 10.78.0.2 table 77");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), std::nullopt);
  Shell("ip route add unreachable default metric 1");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), std::nullopt);
  Shell("ip route add default via 10.77.0.2 metric 200");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), wire_);
  Shell("ip route add default via 10.78.0.2 metric 100");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), more);
  Shell("ip route add default via 10.78.0.2 metric 300");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), more);
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv6), std::nullopt);
  Shell("ip -6 route add default via fd77::2");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv6), wire_);
}

// Half of the address space each way, as VPNs lay over a default route, is
// none.
TEST_F(NetlinkRefusalsTest, AHalfIsNoDefaultRoute) {
  Shell("ip route add 0.0.0.0/1 via 10.77.0.2");
  Shell("ip route add 128.0.0.0/1 via 10.77.0.2");
  EXPECT_EQ(*netlink_->DefaultRouteLink(Family::kIpv4), std::nullopt);
}

// The way that our own frames go while all others lead into the tunnel.
TEST_F(NetlinkRefusalsTest, BesideALinkTheBestOfTheOthersCounts) {
  Shell(
      "ip link add vpn type veth peer name vpn2 && ip link set vpn up && "
      "ip link set vpn2 up && "
      "ip link add more type veth peer name far && ip link set far up && "
      "ip link set more up && ip address add 10.78.0.1/24 dev more && "
      "ip address add fd78::1/64 dev more nodad && "
      "ip link add idle type veth peer name idle2 && ip link set idle up");
  WaitUntilLinkIsUp("more");
  WaitUntilLinkIsUp("vpn");
  const int vpn = static_cast<int>(if_nametoindex("vpn"));
  const int more = static_cast<int>(if_nametoindex("more"));
  for (const char* text : {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}) {
    ASSERT_TRUE(netlink_->AddRoute(vpn, Net(text)).ok()) << text;
  }
  const auto beside = [&](const char* text) {
    return netlink_->LinkBeside({.destination = Ip(text)}, vpn);
  };
  for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
    EXPECT_TRUE(absl::IsNotFound(beside(text).status())) << text;
  }
  Shell("ip route add default via 10.77.0.2 metric 300");
  Shell("ip -6 route add default via fd77::2 metric 300");
  for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
    ASSERT_TRUE(beside(text).ok()) << beside(text).status();
    EXPECT_EQ(*beside(text), wire_) << text;
  }
  // A better one, and one that is longer and so better than that.
  Shell("ip route add default via 10.78.0.2 metric 100");
  Shell("ip -6 route add default via fd78::2 metric 100");
  for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
    EXPECT_EQ(*beside(text), more) << text;
  }
  Shell("ip route add 198.51.100.0/24 via 10.77.0.2 metric 900");
  Shell("ip -6 route add 2001:db8::/32 via fd77::2 metric 900");
  for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
    EXPECT_EQ(*beside(text), wire_) << text;
  }
  // The control: the kernel itself, asked without the halves.
  for (const char* text : {"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}) {
    ASSERT_TRUE(netlink_->RemoveRoute(vpn, Net(text)).ok()) << text;
  }
  for (const char* text :
       {"198.51.100.7", "2001:db8::7", "192.0.2.1", "2001:dba::1"}) {
    EXPECT_EQ(netlink_->RouteTo(Ip(text))->ifindex, *beside(text)) << text;
  }
}

TEST_F(NetlinkRefusalsTest, ARouteIsRemovedOnceAndOnlyWhereItLeads) {
  Shell("ip link add more type veth peer name far && ip link set more up");
  const int more = static_cast<int>(if_nametoindex("more"));
  for (const char* text : {"192.0.2.0/24", "2001:db8:5::/48"}) {
    ASSERT_TRUE(netlink_->AddRoute(wire_, Net(text)).ok()) << text;
    const absl::Status again = netlink_->AddRoute(wire_, Net(text));
    EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
    EXPECT_NE(Message(again).find("a route leads to"), std::string::npos);
    EXPECT_TRUE(absl::IsNotFound(netlink_->RemoveRoute(more, Net(text))));
    EXPECT_TRUE(netlink_->RemoveRoute(wire_, Net(text)).ok()) << text;
    EXPECT_TRUE(absl::IsNotFound(netlink_->RemoveRoute(wire_, Net(text))));
  }
}

// A network may be written by any of its addresses.
TEST_F(NetlinkRefusalsTest, HostBitsAreNoPartOfANetwork) {
  ASSERT_TRUE(netlink_->AddRoute(wire_, Net("192.0.2.77/24")).ok());
  EXPECT_TRUE(Has("ip route show dev wire", "192.0.2.0/24"));
  EXPECT_TRUE(netlink_->RemoveRoute(wire_, Net("192.0.2.99/24")).ok());
}

TEST_F(NetlinkRefusalsTest, ALinkThatIsDownTakesNoRoute) {
  ASSERT_TRUE(netlink_->SetLinkUp(wire_, false).ok());
  const absl::Status refused = netlink_->AddRoute(wire_, Net("192.0.2.0/24"));
  EXPECT_NE(Message(refused).find("Network is down"), std::string::npos)
      << refused;
  EXPECT_FALSE(netlink_->LinkByIndex(wire_)->up);
  EXPECT_TRUE(netlink_->SetLinkUp(wire_, true).ok());
  EXPECT_TRUE(netlink_->AddRoute(wire_, Net("192.0.2.0/24")).ok());
}

// The kernel has more to say than one message holds.
TEST_F(NetlinkRefusalsTest, LongListsAreWhole) {
  std::string batch;
  for (int i = 0; i < 1500; ++i) {
    const std::string end =
        std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    batch += "address add 10.200." + end + "/32 dev wire\n";
    batch += "neigh add 10.77." + std::to_string(i / 250 + 1) + "." +
             std::to_string(i % 250 + 1) +
             " lladdr 02:00:00:00:00:02 nud permanent dev wire\n";
  }
  FILE* const ip = popen("ip -batch -", "w");
  ASSERT_NE(ip, nullptr);
  ASSERT_EQ(fwrite(batch.data(), 1, batch.size(), ip), batch.size());
  ASSERT_EQ(pclose(ip), 0);
  const auto addresses = netlink_->AddressesOf(wire_);
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  EXPECT_EQ(addresses->size(), 1503u);
  const auto neighbours = netlink_->NeighboursOf(wire_);
  ASSERT_TRUE(neighbours.ok()) << neighbours.status();
  EXPECT_GE(neighbours->size(), 1500u);
}

}  // namespace
}  // namespace lwt::host
