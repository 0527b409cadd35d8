#include <net/if.h>
#include <poll.h>

#include <memory>
#include <optional>

#include "control/host/net/lan_keeper.h"
#include "control/host/net/netlink.h"
#include "control/host/net/netlink_monitor.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

class LanKeeperTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *Netlink::Open();
    monitor_ = *NetlinkMonitor::Open();
    RoutedSet routed;
    routed.networks = {*ParseIpPrefix("10.0.0.0/24")};
    routed.kept = {Ip("10.0.0.1")};
    keeper_.emplace(*netlink_, *netlink_->LinkByName("wire"), routed);
    auto table = keeper_->Read();
    ASSERT_TRUE(table.ok()) << table.status();
    table_ = *table;
  }

  LanTable::Place PlaceOf(std::string_view text) {
    const IpAddress address = Ip(text);
    return table_->Find(address.family, address.bytes.data()).place;
  }

  // Feeds the next change, waiting up to `ms` for it; false when none came.
  bool FeedChange(int ms) {
    pollfd waited{.fd = monitor_->fd(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, ms) <= 0) return false;
    auto table = keeper_->OnHostChanges(monitor_->Drain());
    EXPECT_TRUE(table.ok()) << table.status();
    if (table.ok() && *table != nullptr) table_ = *table;
    return true;
  }

  // Feeds changes until the address is in that place; ten seconds at most.
  bool WaitFor(std::string_view text, LanTable::Place place) {
    while (PlaceOf(text) != place) {
      if (!FeedChange(10'000)) return false;
    }
    return true;
  }

  // Asks for a host as traffic for it does: again while there is no answer. The
  // kernel gives up after three seconds, and a link that has just come up may
  // lose all that it asks in those.
  bool ResolveAsTrafficDoes(std::string_view text) {
    for (int ask = 0; ask < 20; ++ask) {
      keeper_->Resolve(Ip(text));
      while (PlaceOf(text) != LanTable::Place::kNeighbour && FeedChange(1000)) {
      }
      if (PlaceOf(text) == LanTable::Place::kNeighbour) return true;
    }
    return false;
  }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
  std::unique_ptr<NetlinkMonitor> monitor_;
  std::optional<LanKeeper> keeper_;
  std::shared_ptr<const LanTable> table_;
};

TEST_F(LanKeeperTest, KnowsItsOwnAddressesAndLink) {
  EXPECT_EQ(table_->Own(Family::kIpv4), Ip("10.77.0.1"));
  EXPECT_EQ(table_->Own(Family::kIpv6), Ip("fd77::1"));
  EXPECT_EQ(table_->OwnTunnel(Family::kIpv4), Ip("10.0.0.1"));
  EXPECT_EQ(table_->mac(), (LanTable::Mac{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(table_->mtu(), 1500);
  EXPECT_EQ(PlaceOf("10.77.0.1"), LanTable::Place::kKernel);
}

TEST_F(LanKeeperTest, HasTheKernelResolveAHost) {
  for (const char* text : {"10.77.0.2", "fd77::2"}) {
    EXPECT_EQ(PlaceOf(text), LanTable::Place::kUnresolved);
    EXPECT_TRUE(ResolveAsTrafficDoes(text)) << text;
  }
}

TEST_F(LanKeeperTest, ForgetsAHostThatTheKernelForgets) {
  ASSERT_TRUE(ResolveAsTrafficDoes("10.77.0.2"));
  Shell("ip neigh del 10.77.0.2 dev wire");
  EXPECT_TRUE(WaitFor("10.77.0.2", LanTable::Place::kUnresolved));
}

TEST_F(LanKeeperTest, ConfirmsWhoIsInUse) {
  Shell(
      "ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev wire "
      "nud stale");
  ASSERT_TRUE(WaitFor("10.77.0.2", LanTable::Place::kNeighbour));
  const auto state = [&] {
    return netlink_
        ->NeighbourOf(static_cast<int>(if_nametoindex("wire")), Ip("10.77.0.2"))
        ->state;
  };
  EXPECT_EQ(state(), NeighbourState::kStale);
  keeper_->OnTimer(1'000'000);
  EXPECT_NE(state(), NeighbourState::kStale);
  EXPECT_EQ(keeper_->next_deadline_us(),
            1'000'000 + LanKeeper::kRefreshPeriodUs);
}

TEST_F(LanKeeperTest, SaysNothingWhenNothingChanged) {
  const auto again = keeper_->Read();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again, nullptr);
  HostChanges elsewhere;
  elsewhere.links = {1};
  EXPECT_EQ(*keeper_->OnHostChanges(elsewhere), nullptr);
}

TEST_F(LanKeeperTest, LeavesOutANetworkThatLeadsIntoTheTunnel) {
  Shell("ip address add 10.0.0.130/25 dev wire");
  ASSERT_TRUE(keeper_->Read().ok());
  ASSERT_EQ(keeper_->conflicts().size(), 1u);
  EXPECT_EQ(keeper_->conflicts()[0], "10.0.0.130/25 overlaps 10.0.0.0/24");
  EXPECT_EQ(PlaceOf("10.0.0.131"), LanTable::Place::kElsewhere);
}

class AddRouteTest : public TwoHosts {};

TEST_F(AddRouteTest, LeadsANetworkToALinkOnce) {
  InNetns in(left_);
  auto netlink = *Netlink::Open();
  const int wire = static_cast<int>(if_nametoindex("wire"));
  for (const auto& [network, inside] :
       {std::pair("192.0.2.0/24", "192.0.2.7"),
        std::pair("2001:db8::/32", "2001:db8::7")}) {
    const IpPrefix prefix = *ParseIpPrefix(network);
    const absl::Status added = netlink->AddRoute(wire, prefix);
    ASSERT_TRUE(added.ok()) << added;
    EXPECT_EQ(netlink->RouteTo(Ip(inside))->ifindex, wire);
    EXPECT_EQ(netlink->AddRoute(wire, prefix).code(),
              absl::StatusCode::kAlreadyExists);
  }
}

}  // namespace
}  // namespace lwt::host
