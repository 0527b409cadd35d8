#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "control/host/net/netlink_monitor.h"
#include "control/host/net/tunnel_keeper.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr uint16_t kMtu = 1400;

// The end of a wire stands for the tunnel device.
class TunnelKeeperTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *Netlink::Open();
    index_ = netlink_->LinkByName("wire")->index;
    spec_.ifindex = index_;
    spec_.addresses = {*ParseIpPrefix("10.9.0.1/24"),
                       *ParseIpPrefix("fd09::1/64")};
    spec_.networks = {*ParseIpPrefix("10.77.0.0/16"),
                      *ParseIpPrefix("fd77::/64")};
    for (const IpPrefix& address : spec_.addresses) {
      ASSERT_TRUE(netlink_->AddAddress(index_, address).ok());
    }
    for (const IpPrefix& network : spec_.networks) {
      ASSERT_TRUE(netlink_->AddRoute(index_, network).ok());
    }
    monitor_ = *NetlinkMonitor::Open();
    keeper_.emplace(*netlink_, mtu_, spec_);
  }

  // What the kernel told goes to the keeper, whose time comes then.
  std::vector<std::string> Look() {
    now_us_ += kSecondUs;
    keeper_->HostChanged(monitor_->Drain(), now_us_);
    if (keeper_->next_deadline_us() == UINT64_MAX) return {};
    return keeper_->OnTimer(now_us_);
  }
  bool HasAll() {
    const auto present = *netlink_->AddressesOf(index_);
    const bool addresses = std::all_of(
        spec_.addresses.begin(), spec_.addresses.end(), [&](const auto& one) {
          return std::any_of(
              present.begin(), present.end(),
              [&](const auto& each) { return each.prefix == one; });
        });
    const bool networks = std::all_of(
        spec_.networks.begin(), spec_.networks.end(), [&](const auto& one) {
          return absl::IsAlreadyExists(netlink_->AddRoute(index_, one));
        });
    return addresses && networks;
  }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
  std::unique_ptr<NetlinkMonitor> monitor_;
  TunnelMtu mtu_{
      [] {
        return TunnelMtu::Bounds{.least = 1280, .most = 1409, .alone = kMtu};
      },
      [this](uint16_t mtu) { return netlink_->SetLinkMtu(index_, mtu); }};
  TunnelKeeper::Spec spec_;
  std::optional<TunnelKeeper> keeper_;
  int index_ = 0;
  uint64_t now_us_ = 10 * kSecondUs;
};

TEST_F(TunnelKeeperTest, NothingToDoIsSilent) {
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1390).ok());
  EXPECT_TRUE(Look().empty()) << "an MTU that its owner chose stays";
  EXPECT_EQ(netlink_->LinkByIndex(index_)->mtu, 1390u);
}

TEST_F(TunnelKeeperTest, AnMtuBelowIpv6sIsRaisedAndAllThatIsIpv6ComesBack) {
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1200).ok());
  EXPECT_EQ(Look().size(), 3u) << "MTU, address, route";
  EXPECT_EQ(netlink_->LinkByIndex(index_)->mtu, kMtu);
  EXPECT_TRUE(HasAll());
}

TEST_F(TunnelKeeperTest, ADeviceThatWasDownIsAsBefore) {
  ASSERT_TRUE(netlink_->SetLinkUp(index_, false).ok());
  const std::vector<std::string> said = Look();
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.front(),
            "the tunnel device wire was taken down: it is up again");
  EXPECT_TRUE(netlink_->LinkByIndex(index_)->up);
  EXPECT_TRUE(HasAll());
  EXPECT_FALSE(keeper_->lost());
}

TEST_F(TunnelKeeperTest, WhatWasFlushedComesBack) {
  Shell("ip address flush dev wire scope global");
  EXPECT_FALSE(Look().empty());
  EXPECT_TRUE(HasAll());
}

TEST_F(TunnelKeeperTest, ADeviceThatWasDeletedIsLost) {
  Shell("ip link del wire");
  EXPECT_TRUE(Look().empty());
  EXPECT_TRUE(keeper_->lost());
}

TEST_F(TunnelKeeperTest, WhatCannotBeMendedIsSaidOnce) {
  spec_.addresses.push_back({*ParseIpAddress("10.9.0.9"), 40});  // no prefix
  keeper_.emplace(*netlink_, mtu_, spec_);  // the one before took its routes
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1200).ok());
  EXPECT_EQ(Look().size(), 5u) << "MTU, address, routes, and why one is not";
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1200).ok());
  EXPECT_EQ(Look().size(), 3u) << "MTU, address, route";
}

TEST_F(TunnelKeeperTest, LooksOnceASecond) {
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1200).ok());
  EXPECT_FALSE(Look().empty());
  const uint64_t looked_us = now_us_;
  ASSERT_TRUE(netlink_->SetLinkMtu(index_, 1200).ok());
  keeper_->HostChanged(monitor_->Drain(), now_us_ + 1);
  EXPECT_EQ(keeper_->next_deadline_us(), looked_us + kSecondUs);
  EXPECT_TRUE(keeper_->OnTimer(now_us_ + 1).empty());
}

// Of a reload. A route of somebody else is neither taken nor removed.
TEST_F(TunnelKeeperTest, LeadsOtherNetworksToTheDevice) {
  const IpPrefix kept = spec_.networks[1];
  const IpPrefix added = *ParseIpPrefix("10.78.0.0/16");
  ASSERT_TRUE(keeper_->SetNetworks({kept, added}).ok());
  EXPECT_TRUE(absl::IsNotFound(
      netlink_->RemoveRoute(index_, *ParseIpPrefix("10.77.0.0/16"))));
  for (const IpPrefix& network : {kept, added}) {
    EXPECT_TRUE(absl::IsAlreadyExists(netlink_->AddRoute(index_, network)));
  }
  const IpPrefix others = *ParseIpPrefix("10.79.0.0/16");
  ASSERT_TRUE(
      netlink_->AddRoute(static_cast<int>(if_nametoindex("lo")), others).ok());
  const absl::Status status = keeper_->SetNetworks({others});
  EXPECT_NE(status.message().find("10.79.0.0/16"), absl::string_view::npos);
  // It is tried again as long as it is refused, and said.
  EXPECT_EQ(keeper_->SetNetworks({others}), status);
  EXPECT_TRUE(keeper_->SetNetworks({}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(netlink_->AddRoute(index_, others)));
}

}  // namespace
}  // namespace lwt::host
