// A tunnel's network that the host has elsewhere. What the kernel does with a
// packet for it shows why that matters.
#include "control/host/net/overlap.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

// 10.77.0.1/24 and fd77::1/64 on "wire".
class OverlapTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *Netlink::Open();
  }
  std::string Check(const char* tunnel) {
    const std::vector<IpPrefix> networks = {*ParseIpPrefix(tunnel)};
    const absl::Status status = CheckNetworkIsFree(*netlink_, networks);
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
};

TEST_F(OverlapTest, ANetworkOfALanIsTaken) {
  EXPECT_NE(OutputOf("ip route get 10.77.0.9").find("dev wire"),
            std::string::npos)
      << "where a packet for the tunnel would go";
  EXPECT_EQ(Check("10.77.0.9/24"),
            "the tunnel's network 10.77.0.0/24 shares addresses with "
            "10.77.0.0/24 of wire; give the tunnel another network on all "
            "sides, one that is rare, such as 10.86.27.0/24");
  EXPECT_NE(Check("10.77.0.200/28"), "") << "a part of it";
  EXPECT_NE(Check("10.1.2.3/8"), "") << "or all of it and more";
  EXPECT_NE(Check("fd77::9/64").find("fd5a:1c3e:7b09::/64"), std::string::npos);
}

TEST_F(OverlapTest, AnotherNetworkIsFree) {
  EXPECT_EQ(Check("10.78.0.1/24"), "");
  EXPECT_EQ(Check("fd78::1/64"), "");
  EXPECT_EQ(Check("127.0.0.9/30"), "") << "the loopback's is nobody's";
  EXPECT_EQ(Check("10.77.0.9/32"), "") << "an address alone is no network";
}

TEST_F(OverlapTest, OfRoutesOnlyThoseThatTakeAPartAway) {
  Shell(
      "ip route add 10.80.0.0/16 via 10.77.0.2 && "
      "ip route add default via 10.77.0.2");
  EXPECT_EQ(Check("10.80.5.1/24"), "") << "the tunnel's is the better route";
  EXPECT_EQ(Check("10.80.0.1/16"),
            "a route leads 10.80.0.0/16 of the tunnel's network 10.80.0.0/16 "
            "elsewhere: ip route show 10.80.0.0/16; give the tunnel another "
            "network on all sides, one that is rare, such as 10.86.27.0/24");
  Shell("ip route add 10.80.7.0/24 via 10.77.0.2");
  EXPECT_EQ(Check("10.80.5.1/24"), "");
  EXPECT_NE(Check("10.80.7.1/24"), "");
  Shell("ip -6 route add 2001:db8:5::/48 via fd77::2");
  EXPECT_NE(Check("2001:db8:5::1/48"), "");
  EXPECT_EQ(Check("2001:db8:6::1/48"), "");
}

TEST_F(OverlapTest, OurOwnDeviceSharesWithNobody) {
  const std::vector<IpPrefix> own = {*ParseIpPrefix("10.77.0.9/24")};
  const int wire = netlink_->LinkByName("wire")->index;
  EXPECT_EQ(SharedWithInterface(*netlink_, own, wire), "");
  EXPECT_NE(SharedWithInterface(*netlink_, own, wire + 100), "");
}

TEST_F(OverlapTest, OfSeveralNetworksTheOneThatIsTakenIsNamed) {
  const std::vector<IpPrefix> tunnel = {*ParseIpPrefix("10.78.0.1/24"),
                                        *ParseIpPrefix("fd77::9/64")};
  const std::string shared = SharedWithInterface(*netlink_, tunnel, 0);
  EXPECT_EQ(shared.find("the tunnel's network fd77::/64 shares addresses with "
                        "fd77::/64 of wire; "),
            0u)
      << shared;
  EXPECT_EQ(SharedWithInterface(*netlink_, {}, 0), "");
}

TEST_F(OverlapTest, ALinksOwnAddressesAreNobodysNetwork) {
  EXPECT_NE(OutputOf("ip -6 address show dev wire scope link").find("fe80::"),
            std::string::npos);
  const std::vector<IpPrefix> tunnel = {*ParseIpPrefix("fe80::9/64")};
  EXPECT_EQ(SharedWithInterface(*netlink_, tunnel, 0), "");
}

// A point-to-point link, and one that an address is all of.
TEST_F(OverlapTest, AnAddressAloneOfTheHostsIsSharedToo) {
  Shell("ip address add 10.90.0.7/32 dev wire");
  EXPECT_NE(Check("10.90.0.1/24").find("10.90.0.7/32 of wire"),
            std::string::npos);
  EXPECT_EQ(Check("10.90.0.128/25"), "") << "the other half";
  Shell("ip address del 10.90.0.7/32 dev wire");
  EXPECT_EQ(Check("10.90.0.1/24"), "");
}

// It comes up with its address, whatever its state is now.
TEST_F(OverlapTest, AnInterfaceThatIsDownCounts) {
  Shell(
      "ip link add spare type veth peer name other && "
      "ip address add 10.91.0.1/24 dev spare");
  EXPECT_NE(Check("10.91.0.9/24").find("of spare; "), std::string::npos);
}

}  // namespace
}  // namespace lwt::host
