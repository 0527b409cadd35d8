#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>

#include "control/host/net/netlink.h"
#include "control/host/net/netlink_monitor.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

std::unique_ptr<Netlink> OpenNetlink() {
  auto netlink = Netlink::Open();
  EXPECT_TRUE(netlink.ok()) << netlink.status();
  return *std::move(netlink);
}

TEST_F(TwoHosts, LinksAreReadByNameIndexAndList) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  const auto wire = netlink->LinkByName("wire");
  ASSERT_TRUE(wire.ok()) << wire.status();
  EXPECT_EQ(wire->name, "wire");
  EXPECT_EQ(wire->kind, "veth");
  EXPECT_EQ(wire->mtu, 1500u);
  EXPECT_EQ(wire->type, ARPHRD_ETHER);
  EXPECT_TRUE(wire->up);
  EXPECT_FALSE(wire->loopback);
  EXPECT_EQ(wire->mac, (MacAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(wire->link_header_size(), 14);
  const auto same = netlink->LinkByIndex(wire->index);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->name, "wire");
  const auto all = netlink->Links();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(std::any_of(all->begin(), all->end(), [](const Link& link) {
    return link.name == "lo" && link.loopback;
  }));
}

TEST_F(TwoHosts, MissingLinksAreNotFound) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  EXPECT_TRUE(absl::IsNotFound(netlink->LinkByName("nosuch").status()));
  EXPECT_TRUE(absl::IsNotFound(
      netlink->LinkByName("a-name-that-is-too-long").status()));
  EXPECT_TRUE(absl::IsNotFound(netlink->LinkByIndex(99999).status()));
}

TEST_F(TwoHosts, AddressesOfOneLinkAndOfAll) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const auto own = netlink->AddressesOf(wire);
  ASSERT_TRUE(own.ok()) << own.status();
  const auto has = [](const std::vector<InterfaceAddress>& list,
                      std::string_view prefix) {
    return std::any_of(list.begin(), list.end(), [&](const auto& each) {
      return each.prefix == ParseIpPrefix(prefix);
    });
  };
  EXPECT_TRUE(has(*own, "10.77.0.1/24"));
  EXPECT_TRUE(has(*own, "fd77::1/64"));
  EXPECT_FALSE(has(*own, "127.0.0.1/8"));
  const auto all = netlink->Addresses();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(has(*all, "127.0.0.1/8"));
  EXPECT_TRUE(has(*all, "10.77.0.1/24"));
}

TEST_F(TwoHosts, RoutesOnTheLinkBehindAGatewayLocalAndMissing) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const auto direct = netlink->RouteTo(Ip("10.77.0.2"));
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->ifindex, wire);
  EXPECT_EQ(direct->source, Ip("10.77.0.1"));
  EXPECT_FALSE(direct->gateway.has_value());
  EXPECT_EQ(direct->mtu, 1500u);
  EXPECT_TRUE(absl::IsNotFound(netlink->RouteTo(Ip("192.0.2.9")).status()));
  EXPECT_TRUE(absl::IsNotFound(netlink->RouteTo(Ip("2001:db8::9")).status()));

  Shell("ip route add default via 10.77.0.2 mtu 1300");
  Shell("ip -6 route add default via fd77::2");
  const auto routed = netlink->RouteTo(Ip("192.0.2.9"));
  ASSERT_TRUE(routed.ok()) << routed.status();
  EXPECT_EQ(routed->gateway, Ip("10.77.0.2"));
  EXPECT_EQ(routed->mtu, 1300u);
  const auto routed6 = netlink->RouteTo(Ip("2001:db8::9"));
  ASSERT_TRUE(routed6.ok()) << routed6.status();
  EXPECT_EQ(routed6->gateway, Ip("fd77::2"));
  EXPECT_EQ(routed6->source, Ip("fd77::1"));
  EXPECT_EQ(*netlink->DefaultRouteLink(Family::kIpv4), wire);
  EXPECT_EQ(*netlink->DefaultRouteLink(Family::kIpv6), wire);

  const auto own = netlink->RouteTo(Ip("10.77.0.1"));
  ASSERT_TRUE(own.ok()) << own.status();
  EXPECT_TRUE(own->local);
}

// The kernel's own answer, as `ip route get` shows it.
std::string KernelRoute(const std::string& words) {
  return OutputOf("ip route get " + words + " 2>&1");
}

TEST_F(TwoHosts, RulesOfPolicyRoutingAreTheKernels) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  Shell(
      "ip link add other type veth peer name end && ip link set end up && "
      "ip address add 10.78.0.1/24 dev other && ip link set other up");
  WaitUntilLinkIsUp("other");
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const int other = static_cast<int>(if_nametoindex("other"));
  Shell(
      "ip route add default via 10.77.0.2 && "
      "ip route add default via 10.78.0.2 table 78");
  const RouteQuery plain{.destination = Ip("192.0.2.9")};
  RouteQuery query = plain;
  const auto leads_by = [&] {
    const auto route = netlink->RouteTo(query);
    return route.ok() ? route->ifindex : 0;
  };
  EXPECT_EQ(leads_by(), wire);

  Shell("ip rule add ipproto tcp dport 9000 lookup 78");
  EXPECT_EQ(leads_by(), wire) << "the rule asks for more";
  query.protocol = IPPROTO_TCP;
  query.destination_port = 9000;
  EXPECT_EQ(leads_by(), other);
  EXPECT_NE(KernelRoute("192.0.2.9 ipproto tcp dport 9000").find("dev other"),
            std::string::npos);
  Shell("ip rule del ipproto tcp dport 9000 lookup 78");

  Shell("ip rule add ipproto tcp sport 9000 lookup 78");
  query = plain;
  query.protocol = IPPROTO_TCP;
  query.source_port = 9000;
  EXPECT_EQ(leads_by(), other);
  Shell("ip rule del ipproto tcp sport 9000 lookup 78");

  Shell("ip rule add from 10.78.0.1 lookup 78");
  query = plain;
  query.source = Ip("10.78.0.1");
  const auto from = netlink->RouteTo(query);
  ASSERT_TRUE(from.ok()) << from.status();
  EXPECT_EQ(from->ifindex, other);
  EXPECT_EQ(from->gateway, Ip("10.78.0.2"));
  EXPECT_EQ(from->source, Ip("10.78.0.1"));
  EXPECT_EQ(KernelRoute("192.0.2.9 from 10.78.0.1").find("dev other") ==
                std::string::npos,
            false);
}

TEST_F(TwoHosts, ADeviceThatIsNamedNeedsARouteAllTheSame) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const RouteQuery by_wire{.destination = Ip("192.0.2.9"), .out_ifindex = wire};
  // The kernel takes the whole world for neighbours there.
  EXPECT_NE(KernelRoute("192.0.2.9 oif wire").find("dev wire"),
            std::string::npos);
  EXPECT_TRUE(absl::IsNotFound(netlink->RouteTo(by_wire).status()));
  EXPECT_TRUE(absl::IsNotFound(
      netlink->RouteTo({.destination = Ip("2001:db8::9"), .out_ifindex = wire})
          .status()));
  const RouteQuery near{.destination = Ip("10.77.0.2"), .out_ifindex = wire};
  EXPECT_TRUE(netlink->RouteTo(near).ok());
  Shell(
      "ip route add default via 10.77.0.2 && "
      "ip -6 route add default via fd77::2");
  const auto routed = netlink->RouteTo(by_wire);
  ASSERT_TRUE(routed.ok()) << routed.status();
  EXPECT_EQ(routed->gateway, Ip("10.77.0.2"));
  EXPECT_TRUE(
      netlink->RouteTo({.destination = Ip("2001:db8::9"), .out_ifindex = wire})
          .ok());
  // One that leads elsewhere is not of that device.
  Shell(
      "ip link add other type veth peer name end && ip link set end up && "
      "ip address add 10.78.0.1/24 dev other && ip link set other up");
  const int other = static_cast<int>(if_nametoindex("other"));
  EXPECT_TRUE(absl::IsNotFound(
      netlink->RouteTo({.destination = Ip("192.0.2.9"), .out_ifindex = other})
          .status()));
}

TEST_F(TwoHosts, AnAddressOfTheLinkIsNoSource) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  Shell(
      "ip link add other type veth peer name end && ip link set end up && "
      "sysctl -qw net.ipv6.conf.other.accept_dad=0 && "
      "ip link set other up && ip -6 route add 2001:db8::/32 dev other && "
      "ip address del fd77::1/64 dev wire");
  WaitUntilLinkIsUp("other");
  const auto route = netlink->RouteTo(Ip("2001:db8::9"));
  EXPECT_TRUE(absl::IsNotFound(route.status()));
  Shell("ip address add 2001:db8::1/64 dev other nodad");
  EXPECT_EQ(netlink->RouteTo(Ip("2001:db8::9"))->source, Ip("2001:db8::1"));
}

TEST_F(TwoHosts, NoDefaultRouteIsNoError) {
  const InNetns in(left_);
  const auto link = OpenNetlink()->DefaultRouteLink(Family::kIpv4);
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_FALSE(link->has_value());
}

// Polls the monitor until `done` says so, for at most ten seconds.
template <typename Done>
bool WaitForChange(NetlinkMonitor& monitor, Done done) {
  for (int events = 0; events < 1000; ++events) {
    pollfd waited{.fd = monitor.fd(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, 10'000) <= 0) return false;
    if (done(monitor.Drain())) return true;
  }
  return false;
}

TEST_F(TwoHosts, NeighboursAreResolvedOnRequest) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  auto monitor = NetlinkMonitor::Open();
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  for (const auto* text : {"10.77.0.2", "fd77::2"}) {
    const IpAddress address = Ip(text);
    const auto before = netlink->NeighbourOf(wire, address);
    ASSERT_TRUE(before.ok()) << before.status();
    EXPECT_FALSE(before->usable());
    ASSERT_TRUE(netlink->RefreshNeighbour(wire, address).ok());
    ASSERT_TRUE(WaitForChange(**monitor, [&](const HostChanges& changes) {
      return std::any_of(changes.neighbours.begin(), changes.neighbours.end(),
                         [&](const Neighbour& neighbour) {
                           return neighbour.address == address &&
                                  neighbour.usable();
                         });
    }));
    const auto after = netlink->NeighbourOf(wire, address);
    ASSERT_TRUE(after.ok()) << after.status();
    EXPECT_EQ(after->mac, (MacAddress{2, 0, 0, 0, 0, 2}));
  }
}

// The kernel takes NTF_USE for the end of a permanent entry, and an entry that
// a routing daemon keeps is not ours to have confirmed.
TEST_F(TwoHosts, ANeighbourThatIsNotDynamicIsLeftAlone) {
  const InNetns in(left_);
  const auto netlink = OpenNetlink();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const std::string mac = " lladdr 02:00:00:00:00:02 dev wire ";
  Shell("ip neighbour add 10.77.0.21" + mac + "nud permanent && " +
        "ip neighbour add 10.77.0.22" + mac + "nud noarp && " +
        "ip neighbour add 10.77.0.23" + mac + "nud stale extern_learn && " +
        "ip neighbour add fd77::21" + mac + "nud permanent");
  const std::string before = OutputOf("ip neighbour show dev wire");
  for (const char* const address :
       {"10.77.0.21", "10.77.0.22", "10.77.0.23", "fd77::21"}) {
    const auto entry = netlink->NeighbourOf(wire, Ip(address));
    ASSERT_TRUE(entry.ok()) << entry.status();
    EXPECT_FALSE(entry->dynamic()) << address;
    EXPECT_TRUE(entry->usable()) << address;
    EXPECT_TRUE(netlink->RefreshNeighbour(wire, Ip(address)).ok());
  }
  EXPECT_EQ(OutputOf("ip neighbour show dev wire"), before);
}

TEST_F(TwoHosts, SetsUpATunnelDevice) {
  const InNetns in(left_);
  Shell("ip tuntap add dev tunnel mode tun");
  const auto netlink = OpenNetlink();
  const auto link = netlink->LinkByName("tunnel");
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->kind, "tun");
  EXPECT_EQ(link->link_header_size(), 0);
  const auto v4 = ParseIpPrefix("10.9.0.1/24").value();
  const auto v6 = ParseIpPrefix("fd09::1/64").value();
  ASSERT_TRUE(netlink->SetLinkMtu(link->index, 1380).ok());
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_TRUE(netlink->AddAddress(link->index, v4).ok());
    ASSERT_TRUE(netlink->AddAddress(link->index, v6).ok());
  }
  ASSERT_TRUE(netlink->SetLinkUp(link->index, true).ok());
  EXPECT_EQ(netlink->LinkByIndex(link->index)->mtu, 1380u);
  EXPECT_TRUE(netlink->LinkByIndex(link->index)->up);
  const auto addresses = netlink->AddressesOf(link->index);
  ASSERT_TRUE(addresses.ok());
  for (const IpPrefix& prefix : {v4, v6}) {
    const auto found =
        std::find_if(addresses->begin(), addresses->end(),
                     [&](const auto& each) { return each.prefix == prefix; });
    ASSERT_NE(found, addresses->end()) << ToString(prefix);
    EXPECT_FALSE(found->tentative);
  }
  ASSERT_TRUE(netlink->SetLinkUp(link->index, false).ok());
  EXPECT_FALSE(netlink->LinkByIndex(link->index)->up);
  EXPECT_FALSE(netlink->AddAddress(link->index, {Ip("10.0.0.1"), 33}).ok());
  const auto status = netlink->SetLinkMtu(99999, 1380);
  EXPECT_NE(status.message().find("99999"), absl::string_view::npos);
}

TEST_F(TwoHosts, MonitorTellsWhatChanged) {
  const InNetns in(left_);
  auto monitor = NetlinkMonitor::Open();
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  EXPECT_TRUE((*monitor)->Drain().empty());
  const int wire = static_cast<int>(if_nametoindex("wire"));
  Shell("ip link set wire mtu 1400");
  Shell("ip address add 10.78.0.1/24 dev wire");
  Shell("ip route add 10.79.0.0/24 via 10.77.0.2");
  HostChanges all;
  ASSERT_TRUE(WaitForChange(**monitor, [&](const HostChanges& changes) {
    all.routes |= changes.routes;
    all.links.insert(all.links.end(), changes.links.begin(),
                     changes.links.end());
    all.addresses.insert(all.addresses.end(), changes.addresses.begin(),
                         changes.addresses.end());
    return all.routes && !all.links.empty() && !all.addresses.empty();
  }));
  EXPECT_EQ(all.links, std::vector<int>{wire});
  EXPECT_EQ(all.addresses, std::vector<int>{wire});
}

TEST_F(TwoHosts, AFloodOfChangesIsReportedAsEverything) {
  const InNetns in(left_);
  auto monitor = NetlinkMonitor::Open();
  ASSERT_TRUE(monitor.ok()) << monitor.status();
  const int small = 1;  // the kernel's minimum
  ASSERT_EQ(setsockopt((*monitor)->fd(), SOL_SOCKET, SO_RCVBUF, &small,
                       sizeof(small)),
            0);
  const auto netlink = OpenNetlink();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  for (uint32_t mtu = 1300; mtu < 1400; ++mtu) {
    ASSERT_TRUE(netlink->SetLinkMtu(wire, mtu).ok());
  }
  EXPECT_TRUE((*monitor)->Drain().everything);
  EXPECT_TRUE((*monitor)->Drain().empty());
}

}  // namespace
}  // namespace lwt::host
