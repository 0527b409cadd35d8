#include "control/host/net/netlink_parse.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "control/host/net/netlink_attributes.h"

namespace lwt::host {
namespace {

// A message as the kernel lays it out, byte by byte.
class Builder {
 public:
  template <typename T>
  Builder(uint16_t type, const T& body) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    Append(header);
    Append(body);
  }
  Builder& Put(uint16_t type, std::vector<uint8_t> value) {
    nlattr attribute{};
    attribute.nla_type = type;
    attribute.nla_len = static_cast<uint16_t>(NLA_HDRLEN + value.size());
    Append(attribute);
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    bytes_.resize(NLA_ALIGN(bytes_.size()));
    return *this;
  }
  std::vector<uint8_t> Done() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &size, sizeof(size));
    return bytes_;
  }

 private:
  template <typename T>
  void Append(const T& value) {
    const auto* data = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), data, data + sizeof(value));
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  std::vector<uint8_t> bytes_;
};

std::vector<uint8_t> LinkMessage() {
  return Builder(RTM_NEWLINK, ifinfomsg{.ifi_type = ARPHRD_ETHER,
                                        .ifi_index = 7,
                                        .ifi_flags = IFF_UP})
      .Put(IFLA_IFNAME, {'e', 't', 'h', '0', 0})
      .Put(IFLA_MTU, {0xdc, 0x05, 0, 0})
      .Put(IFLA_MASTER, {5, 0, 0, 0})
      .Put(IFLA_ADDRESS, {2, 0, 0, 0, 0, 9})
      .Put(IFLA_LINKINFO | NLA_F_NESTED, {9, 0, 1, 0, 'v', 'e', 't', 'h', 0})
      .Done();
}

std::vector<uint8_t> AddressMessage() {
  return Builder(RTM_NEWADDR, ifaddrmsg{.ifa_family = AF_INET,
                                        .ifa_prefixlen = 24,
                                        .ifa_index = 7})
      .Put(IFA_ADDRESS, {10, 0, 0, 2})
      .Put(IFA_LOCAL, {10, 0, 0, 1})
      .Done();
}

std::vector<uint8_t> RouteMessageBytes() {
  return Builder(RTM_NEWROUTE, rtmsg{.rtm_family = AF_INET,
                                     .rtm_dst_len = 32,
                                     .rtm_table = RT_TABLE_MAIN,
                                     .rtm_type = RTN_UNICAST})
      .Put(RTA_OIF, {7, 0, 0, 0})
      .Put(RTA_PREFSRC, {10, 0, 0, 1})
      .Put(RTA_GATEWAY, {10, 0, 0, 254})
      .Put(RTA_METRICS, {8, 0, RTAX_MTU, 0, 0x14, 5, 0, 0})
      .Put(RTA_PRIORITY, {100, 0, 0, 0})
      .Done();
}

std::vector<uint8_t> NeighbourMessage(uint16_t type) {
  return Builder(type, ndmsg{.ndm_family = AF_INET,
                             .ndm_ifindex = 7,
                             .ndm_state = NUD_REACHABLE})
      .Put(NDA_DST, {10, 0, 0, 254})
      .Put(NDA_LLADDR, {2, 0, 0, 0, 0, 9})
      .Done();
}

TEST(NetlinkParse, Link) {
  const auto link = ParseLink(LinkMessage());
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->index, 7);
  EXPECT_EQ(link->name, "eth0");
  EXPECT_EQ(link->kind, "veth");
  EXPECT_EQ(link->mtu, 1500u);
  EXPECT_EQ(link->master, 5);
  EXPECT_TRUE(link->up);
  EXPECT_EQ(link->mac, (MacAddress{2, 0, 0, 0, 0, 9}));
}

TEST(NetlinkParse, LinkHeaderSizes) {
  Link link;
  link.type = ARPHRD_ETHER;
  EXPECT_EQ(link.link_header_size(), 14);
  link.type = ARPHRD_PPP;
  EXPECT_EQ(link.link_header_size(), 0);
  link.type = ARPHRD_NONE;
  EXPECT_EQ(link.link_header_size(), 0);
  link.type = ARPHRD_SIT;
  EXPECT_EQ(link.link_header_size(), std::nullopt);
}

TEST(NetlinkParse, AddressIsTheLocalEnd) {
  const auto address = ParseAddress(AddressMessage());
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->prefix, ParseIpPrefix("10.0.0.1/24"));
  EXPECT_EQ(address->ifindex, 7);
}

TEST(NetlinkParse, AddressWithAnImpossiblePrefixIsRefused) {
  EXPECT_FALSE(
      ParseAddress(Builder(RTM_NEWADDR, ifaddrmsg{.ifa_family = AF_INET,
                                                  .ifa_prefixlen = 33})
                       .Put(IFA_LOCAL, {10, 0, 0, 1})
                       .Done())
          .has_value());
}

TEST(NetlinkParse, Route) {
  const auto route = ParseRoute(RouteMessageBytes());
  ASSERT_TRUE(route.has_value());
  EXPECT_TRUE(route->usable);
  EXPECT_TRUE(route->has_source);
  EXPECT_EQ(route->route.ifindex, 7);
  EXPECT_EQ(route->route.source, ParseIpAddress("10.0.0.1"));
  EXPECT_EQ(route->route.gateway, ParseIpAddress("10.0.0.254"));
  EXPECT_EQ(route->route.mtu, 1300u);
  EXPECT_EQ(route->priority, 100u);
}

TEST(NetlinkParse, MultipathRouteGoesByItsFirstHop) {
  const auto route =
      ParseRoute(Builder(RTM_NEWROUTE, rtmsg{.rtm_family = AF_INET,
                                             .rtm_table = RT_TABLE_MAIN,
                                             .rtm_type = RTN_UNICAST})
                     .Put(RTA_MULTIPATH, {16, 0, 0, 0, 7, 0, 0, 0,  // rtnexthop
                                          8, 0, RTA_GATEWAY, 0, 10, 0, 0, 254})
                     .Done());
  ASSERT_TRUE(route.has_value());
  EXPECT_TRUE(route->usable);
  EXPECT_EQ(route->route.ifindex, 7);
  EXPECT_EQ(route->route.gateway, ParseIpAddress("10.0.0.254"));
}

TEST(NetlinkParse, AnUnreachableRouteIsNotUsable) {
  const auto route =
      ParseRoute(Builder(RTM_NEWROUTE, rtmsg{.rtm_family = AF_INET,
                                             .rtm_type = RTN_UNREACHABLE})
                     .Put(RTA_OIF, {7, 0, 0, 0})
                     .Done());
  ASSERT_TRUE(route.has_value());
  EXPECT_FALSE(route->usable);
}

TEST(NetlinkParse, NeighbourThereAndGone) {
  const auto there = ParseNeighbour(NeighbourMessage(RTM_NEWNEIGH));
  ASSERT_TRUE(there.has_value());
  EXPECT_TRUE(there->usable());
  EXPECT_EQ(there->address, ParseIpAddress("10.0.0.254"));
  const auto gone = ParseNeighbour(NeighbourMessage(RTM_DELNEIGH));
  ASSERT_TRUE(gone.has_value());
  EXPECT_FALSE(gone->usable());
}

TEST(NetlinkParse, ChangesNameEachObjectOnce) {
  HostChanges changes;
  for (int twice = 0; twice < 2; ++twice) {
    AddChange(LinkMessage(), changes);
    AddChange(AddressMessage(), changes);
    AddChange(RouteMessageBytes(), changes);
    AddChange(NeighbourMessage(RTM_NEWNEIGH), changes);
  }
  EXPECT_FALSE(changes.everything);
  EXPECT_TRUE(changes.routes);
  EXPECT_EQ(changes.links, std::vector<int>{7});
  EXPECT_EQ(changes.addresses, std::vector<int>{7});
  ASSERT_EQ(changes.neighbours.size(), 1u);
  AddChange(NeighbourMessage(RTM_DELNEIGH), changes);
  ASSERT_EQ(changes.neighbours.size(), 1u);
  EXPECT_FALSE(changes.neighbours[0].usable());
}

// Under the address sanitizer this shows that no byte beyond is read.
TEST(NetlinkParse, TruncatedAndLyingMessagesAreSafe) {
  for (const auto& whole :
       {LinkMessage(), AddressMessage(), RouteMessageBytes(),
        NeighbourMessage(RTM_NEWNEIGH)}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      for (const int lie : {0, 1, 0xff}) {
        std::vector<uint8_t> cut(whole.begin(),
                                 whole.begin() + static_cast<long>(size));
        if (lie != 0 && size > 0) cut[size - 1] = static_cast<uint8_t>(lie);
        HostChanges changes;
        AddChange(cut, changes);
        EXPECT_LE(changes.links.size() + changes.neighbours.size(), 1u);
      }
    }
  }
}

TEST(NetlinkAttributes, MessagesAreTakenWholeOrNotAtAll) {
  std::vector<uint8_t> two = LinkMessage();
  const std::vector<uint8_t> second = AddressMessage();
  two.insert(two.end(), second.begin(), second.end());
  Bytes rest(two);
  EXPECT_EQ(MessageType(TakeMessage(rest).value()), RTM_NEWLINK);
  EXPECT_EQ(MessageType(TakeMessage(rest).value()), RTM_NEWADDR);
  EXPECT_FALSE(TakeMessage(rest).has_value());
  two.resize(two.size() - 1);
  rest = two;
  EXPECT_TRUE(TakeMessage(rest).has_value());
  EXPECT_FALSE(TakeMessage(rest).has_value());
}

}  // namespace
}  // namespace lwt::host
