#include "control/host/net/uplink_choice.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

class UplinkChoiceTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *Netlink::Open();
  }
  static void ExpectWire(const absl::StatusOr<UplinkChoice>& choice,
                         std::string_view why) {
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(choice->link.name, "wire");
    EXPECT_EQ(choice->link_header_size, 14);
    EXPECT_NE(choice->reason.find(why), std::string::npos) << choice->reason;
  }
  absl::StatusOr<UplinkChoice> ForRemote(const char* remote) {
    const auto route = netlink_->RouteTo(Ip(remote));
    if (!route.ok()) return route.status();
    return UplinkByRoute(*netlink_, *route, Ip(remote));
  }
  static void ExpectError(const absl::StatusOr<UplinkChoice>& choice,
                          std::string_view part) {
    ASSERT_FALSE(choice.ok()) << choice->reason;
    EXPECT_NE(std::string(choice.status().message()).find(part),
              std::string::npos)
        << choice.status();
  }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
};

TEST_F(UplinkChoiceTest, AClientGoesByTheRoute) {
  ExpectWire(ForRemote("10.77.0.2"), "10.77.0.2");
  ExpectError(ForRemote("192.0.2.1"), "192.0.2.1");
  Shell("ip route add default via 10.77.0.2");
  ExpectWire(ForRemote("192.0.2.1"), "by 10.77.0.2");
}

TEST_F(UplinkChoiceTest, AServerGoesByItsListenAddress) {
  ExpectWire(UplinkForListener(*netlink_, Ip("10.77.0.1")), "listen address");
  ExpectWire(UplinkForListener(*netlink_, Ip("fd77::1")), "listen address");
  ExpectError(UplinkForListener(*netlink_, Ip("192.0.2.1")), "10.77.0.1");
}

TEST_F(UplinkChoiceTest, AServerGoesByTheDefaultRouteOfEitherFamily) {
  Shell("ip link add other type veth peer name peer");
  Shell("ip link set other up");
  Shell("ip -6 route add default via fd77::2");
  ExpectWire(UplinkForListener(*netlink_, Ip("0.0.0.0")), "IPv6 default");
  Shell("ip route add default via 10.77.0.2");
  ExpectWire(UplinkForListener(*netlink_, Ip("0.0.0.0")), "IPv4 default");
}

TEST_F(UplinkChoiceTest, AServerTakesTheOnlyOneThatIsUp) {
  Shell("ip tuntap add dev tunnel mode tun && ip link set tunnel up");
  Shell("ip link add other type veth peer name peer");
  ExpectWire(UplinkForListener(*netlink_, Ip("0.0.0.0")), "only interface");
  Shell("ip link set other up");
  ExpectError(UplinkForListener(*netlink_, Ip("0.0.0.0")), "wire (up)");
  ExpectError(UplinkForListener(*netlink_, Ip("::")),
              "tunnel (up, tunnel device)");
}

TEST_F(UplinkChoiceTest, ANamedInterfaceMustBeThereAndUp) {
  ExpectWire(UplinkByName(*netlink_, "wire"), "named");
  ExpectError(UplinkByName(*netlink_, "nosuch"), "wire (up)");
  Shell("ip link set wire down");
  ExpectError(UplinkByName(*netlink_, "wire"), "ip link set wire up");
  Shell("ip tuntap add dev plain mode tun && ip link set plain up");
  const auto plain = UplinkByName(*netlink_, "plain");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->link_header_size, 0);
}

TEST_F(UplinkChoiceTest, AServerOnALoopbackAddressGoesByAnInterface) {
  Shell("ip address add 192.0.2.7/32 dev lo");
  Shell("ip route add default via 10.77.0.2");
  ExpectWire(UplinkForListener(*netlink_, Ip("192.0.2.7")), "default route");
}

TEST_F(UplinkChoiceTest, TheOthersAreThoseThatFramesForUsMayComeBy) {
  const auto names = [&](std::vector<int> except) {
    std::string text;
    const auto others = OthersForListener(*netlink_, except);
    EXPECT_TRUE(others.ok()) << others.status();
    for (const UplinkChoice& other : *others) text += other.link.name + " ";
    return text;
  };
  const int wire = netlink_->LinkByName("wire")->index;
  EXPECT_EQ(names({}), "lo wire ");
  EXPECT_EQ(names({wire}), "lo ");
  Shell("ip link add br0 type bridge && ip link set br0 up");
  Shell("ip address add 10.88.0.1/24 dev br0");
  Shell("ip link add box type veth peer name inside");
  Shell("ip link set box master br0 up && ip link set inside up");
  // The kernel gives it one of its own when it gets to it.
  Shell("ip address add fe80::77/64 dev inside nodad");
  EXPECT_EQ(names({wire}), "lo br0 inside ")
      << "the bridge for its port; a link's own address is one";
  Shell("ip link set inside down");
  Shell("ip link set br0 down");
  EXPECT_EQ(names({wire}), "lo ");
}

}  // namespace
}  // namespace lwt::host
