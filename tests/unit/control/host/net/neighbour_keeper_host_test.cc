#include <net/if.h>
#include <poll.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/host/net/neighbour_keeper.h"
#include "control/host/net/netlink.h"
#include "control/host/net/netlink_monitor.h"
#include "tests/unit/control/host/netns.h"

namespace lwt::host {
namespace {

constexpr MacAddress kLeftMac = {2, 0, 0, 0, 0, 1};
constexpr MacAddress kRightMac = {2, 0, 0, 0, 0, 2};

class NeighbourKeeperTest : public TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    netlink_ = *Netlink::Open();
    monitor_ = *NetlinkMonitor::Open();
    Watch("wire");
  }

  void Watch(std::string_view name) {
    keeper_.emplace(*netlink_, *netlink_->LinkByName(name),
                    [this](const IpAddress& remote, const NextHop& hop) {
                      ++reports_;
                      reported_[ToString(remote)] = hop;
                    });
  }

  // Feeds changes until the next hop is as `done` wants; ten seconds at most.
  template <typename Done>
  bool WaitFor(const IpAddress& remote, Done done) {
    for (int events = 0; events < 1000; ++events) {
      const NextHop* hop = keeper_->Find(remote);
      if (hop != nullptr && done(*hop)) return true;
      pollfd waited{.fd = monitor_->fd(), .events = POLLIN, .revents = 0};
      if (poll(&waited, 1, 10'000) <= 0) return false;
      keeper_->HostChanged(monitor_->Drain(), now_us_);
    }
    return false;
  }
  static bool IsReady(const NextHop& hop) { return hop.ready; }

  std::optional<InNetns> in_;
  std::unique_ptr<Netlink> netlink_;
  std::unique_ptr<NetlinkMonitor> monitor_;
  std::optional<NeighbourKeeper> keeper_;
  std::map<std::string, NextHop> reported_;
  int reports_ = 0;
  uint64_t now_us_ = 1'000'000;
};

void ExpectHeader(const LinkHeader& header, const MacAddress& destination,
                  const MacAddress& source, uint16_t type) {
  ASSERT_EQ(header.size, 14);
  const auto view = header.view();
  EXPECT_TRUE(std::equal(destination.begin(), destination.end(), view.begin()));
  EXPECT_TRUE(std::equal(source.begin(), source.end(), view.begin() + 6));
  EXPECT_EQ(view[12] << 8 | view[13], type);
}

TEST_F(NeighbourKeeperTest, EachIsDueAtItsOwnTime) {
  EXPECT_EQ(keeper_->next_deadline_us(), UINT64_MAX);
  const IpAddress first = Ip("10.77.0.2");
  const IpAddress second = Ip("fd77::2");
  keeper_->Add(first, now_us_);
  const uint64_t due = keeper_->next_deadline_us();
  EXPECT_EQ(due, now_us_ + NeighbourKeeper::kRetryPeriodUs);
  keeper_->Add(second, now_us_ + 300'000);
  EXPECT_EQ(keeper_->next_deadline_us(), due);
  keeper_->OnTimer(due);
  EXPECT_EQ(keeper_->next_deadline_us(), due + 300'000) << "the other's";
  keeper_->Remove(second);
  EXPECT_GE(keeper_->next_deadline_us(), due + NeighbourKeeper::kRetryPeriodUs);
  keeper_->Remove(first);
  EXPECT_EQ(keeper_->next_deadline_us(), UINT64_MAX);
}

TEST_F(NeighbourKeeperTest, ResolvesOnTheLinkForBothFamilies) {
  for (const auto& [text, type] :
       {std::pair("10.77.0.2", 0x0800), std::pair("fd77::2", 0x86dd)}) {
    const IpAddress remote = Ip(text);
    keeper_->Add(remote, now_us_);
    ASSERT_TRUE(WaitFor(remote, IsReady)) << keeper_->Find(remote)->problem;
    ExpectHeader(keeper_->Find(remote)->header, kRightMac, kLeftMac,
                 static_cast<uint16_t>(type));
    EXPECT_EQ(reported_[text], *keeper_->Find(remote));
  }
  EXPECT_EQ(reported_["10.77.0.2"].route.source, Ip("10.77.0.1"));
}

TEST_F(NeighbourKeeperTest, FollowsARouteThatComesAndGoes) {
  const IpAddress remote = Ip("192.0.2.1");
  keeper_->Add(remote, now_us_);
  EXPECT_FALSE(keeper_->Find(remote)->ready);
  EXPECT_NE(keeper_->Find(remote)->problem, "");
  Shell("ip route add 192.0.2.0/24 via 10.77.0.2");
  ASSERT_TRUE(WaitFor(remote, IsReady)) << keeper_->Find(remote)->problem;
  EXPECT_EQ(keeper_->Find(remote)->route.gateway, Ip("10.77.0.2"));
  ExpectHeader(keeper_->Find(remote)->header, kRightMac, kLeftMac, 0x0800);
  Shell("ip route del 192.0.2.0/24");
  EXPECT_TRUE(WaitFor(remote, [](const NextHop& hop) { return !hop.ready; }));
}

// As routers announce themselves (RFC 4861 §4.2): the next hop is an address of
// the link, and our own is not.
TEST_F(NeighbourKeeperTest, ARouterIsReachedByItsLinkLocalAddress) {
  {
    const InNetns there(right_);
    Shell("ip address add fe80::2/64 dev wire nodad");
  }
  Shell("ip address add fe80::1/64 dev wire nodad");
  Shell("ip route add 2001:db8::/64 via fe80::2 dev wire");
  const IpAddress remote = Ip("2001:db8::9");
  keeper_->Add(remote, now_us_);
  ASSERT_TRUE(WaitFor(remote, IsReady)) << keeper_->Find(remote)->problem;
  EXPECT_EQ(keeper_->Find(remote)->route.gateway, Ip("fe80::2"));
  EXPECT_EQ(keeper_->Find(remote)->route.source, Ip("fd77::1"));
  ExpectHeader(keeper_->Find(remote)->header, kRightMac, kLeftMac, 0x86dd);
  // Without another address there is no way: nobody beyond could answer.
  Shell("ip address del fd77::1/64 dev wire");
  EXPECT_TRUE(WaitFor(remote, [](const NextHop& hop) { return !hop.ready; }));
  EXPECT_NE(keeper_->Find(remote)->problem.find("the link's own fe80::1"),
            std::string::npos)
      << keeper_->Find(remote)->problem;
}

TEST_F(NeighbourKeeperTest, FollowsANewLinkLayerAddress) {
  const IpAddress remote = Ip("10.77.0.2");
  keeper_->Add(remote, now_us_);
  ASSERT_TRUE(WaitFor(remote, IsReady));
  Shell("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev wire");
  EXPECT_TRUE(WaitFor(
      remote, [](const NextHop& hop) { return hop.header.bytes[5] == 0x99; }));
  Shell("ip link set wire address 02:00:00:00:00:77");
  EXPECT_TRUE(WaitFor(
      remote, [](const NextHop& hop) { return hop.header.bytes[11] == 0x77; }));
}

TEST_F(NeighbourKeeperTest, KeepsTheLastAddressOfAFailedNeighbour) {
  const IpAddress remote = Ip("10.77.0.2");
  keeper_->Add(remote, now_us_);
  ASSERT_TRUE(WaitFor(remote, IsReady));
  Shell("ip neigh change 10.77.0.2 dev wire nud failed");
  keeper_->HostChanged(HostChanges{.everything = true}, now_us_);
  ASSERT_TRUE(keeper_->Find(remote)->ready);
  ExpectHeader(keeper_->Find(remote)->header, kRightMac, kLeftMac, 0x0800);
}

TEST_F(NeighbourKeeperTest, OneThatFailedIsAskedUntilItAnswers) {
  const IpAddress remote = Ip("10.77.0.2");
  keeper_->Add(remote, now_us_);
  ASSERT_TRUE(WaitFor(remote, IsReady));
  EXPECT_FALSE(keeper_->Find(remote)->silent);
  Shell("ip neigh change 10.77.0.2 dev wire nud failed");
  keeper_->HostChanged(HostChanges{.everything = true}, now_us_);
  EXPECT_TRUE(reported_["10.77.0.2"].silent);
  EXPECT_EQ(keeper_->next_deadline_us(),
            now_us_ + NeighbourKeeper::kRetryPeriodUs);
  now_us_ += NeighbourKeeper::kRetryPeriodUs;
  keeper_->OnTimer(now_us_);
  EXPECT_TRUE(WaitFor(remote, [](const NextHop& hop) { return !hop.silent; }));
  EXPECT_FALSE(reported_["10.77.0.2"].silent);
}

TEST_F(NeighbourKeeperTest, ALinkWithoutCarrierIsSilent) {
  const IpAddress remote = Ip("10.77.0.2");
  keeper_->Add(remote, now_us_);
  ASSERT_TRUE(WaitFor(remote, IsReady));
  {
    InNetns in(right_);
    Shell("ip link set wire down");
  }
  EXPECT_TRUE(WaitFor(
      remote, [](const NextHop& hop) { return hop.silent || !hop.ready; }));
  {
    InNetns in(right_);
    Shell("ip link set wire up");
  }
  EXPECT_TRUE(WaitFor(
      remote, [](const NextHop& hop) { return hop.ready && !hop.silent; }));
}

TEST_F(NeighbourKeeperTest, AsksAgainInTimeAndOnSuspicion) {
  const IpAddress remote = Ip("10.77.0.2");
  EXPECT_EQ(keeper_->next_deadline_us(), UINT64_MAX);
  keeper_->Add(remote, now_us_);
  EXPECT_EQ(keeper_->next_deadline_us(),
            now_us_ + NeighbourKeeper::kRetryPeriodUs);
  ASSERT_TRUE(WaitFor(remote, IsReady));
  const int wire = static_cast<int>(if_nametoindex("wire"));
  const auto is_gone = [&] {
    return netlink_->NeighbourOf(wire, remote)->state ==
           NeighbourState::kUnknown;
  };
  Shell("ip neigh flush dev wire");
  ASSERT_TRUE(is_gone());
  now_us_ += NeighbourKeeper::kRetryPeriodUs - 1;
  keeper_->OnTimer(now_us_);
  EXPECT_TRUE(is_gone());
  now_us_ += 1;
  keeper_->OnTimer(now_us_);
  EXPECT_FALSE(is_gone());
  EXPECT_EQ(keeper_->next_deadline_us(),
            now_us_ + NeighbourKeeper::kRefreshPeriodUs);
  Shell("ip neigh flush dev wire");
  ASSERT_TRUE(is_gone());
  keeper_->Suspect(remote, now_us_);
  EXPECT_FALSE(is_gone());
}

// A hub behind one router has thousands of clients there, and one neighbour.
TEST_F(NeighbourKeeperTest, ACrowdBehindOneRouterIsOneNeighbour) {
  constexpr int kCrowd = 3 * NeighbourKeeper::kPortion;
  Shell("ip route add 198.18.0.0/16 via 10.77.0.2");
  const auto remote = [](int number) {
    return Ip("198.18." + std::to_string(number / 250) + "." +
              std::to_string(number % 250 + 1));
  };
  for (int i = 0; i < kCrowd; ++i) keeper_->Add(remote(i), now_us_);
  ASSERT_TRUE(WaitFor(remote(0), IsReady));
  for (int i = 0; i < kCrowd; ++i) {
    ASSERT_TRUE(keeper_->Find(remote(i))->ready) << i;
  }
  // One notice of it is told to all of them.
  reports_ = 0;
  Shell("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 dev wire");
  ASSERT_TRUE(WaitFor(remote(kCrowd - 1), [](const NextHop& hop) {
    return hop.header.bytes[5] == 0x99;
  }));
  EXPECT_EQ(reports_, kCrowd);
  // A route that changes is looked up for all, by and by.
  reports_ = 0;
  Shell("ip route replace 198.18.0.0/16 via 10.77.0.3");
  while (reports_ == 0) {
    pollfd waited{.fd = monitor_->fd(), .events = POLLIN, .revents = 0};
    ASSERT_GT(poll(&waited, 1, 10'000), 0);
    keeper_->HostChanged(monitor_->Drain(), now_us_);
  }
  EXPECT_LE(reports_, static_cast<int>(NeighbourKeeper::kPortion));
  // Those that come meanwhile take nobody's turn.
  for (int i = 0; i < kCrowd; ++i) {
    keeper_->Add(Ip("198.18.200." + std::to_string(i + 1)), now_us_);
  }
  int turns = 0;
  while (keeper_->next_deadline_us() == 0) {
    const int before = reports_;
    keeper_->OnTimer(now_us_);
    EXPECT_LE(reports_ - before, static_cast<int>(NeighbourKeeper::kPortion));
    ASSERT_LT(++turns, kCrowd);
  }
  for (int i = 0; i < kCrowd; ++i) {
    EXPECT_EQ(keeper_->Find(remote(i))->route.gateway, Ip("10.77.0.3")) << i;
    keeper_->Remove(remote(i));
    keeper_->Remove(Ip("198.18.200." + std::to_string(i + 1)));
  }
  EXPECT_EQ(keeper_->next_deadline_us(), UINT64_MAX);
}

TEST_F(NeighbourKeeperTest, AddressesAreCounted) {
  const IpAddress remote = Ip("10.77.0.2");
  keeper_->Add(remote, now_us_);
  keeper_->Add(remote, now_us_);
  keeper_->Remove(remote);
  EXPECT_NE(keeper_->Find(remote), nullptr);
  keeper_->Remove(remote);
  EXPECT_EQ(keeper_->Find(remote), nullptr);
  keeper_->Remove(remote);
}

TEST_F(NeighbourKeeperTest, AnotherInterfaceIsAProblem) {
  keeper_->Add(Ip("127.0.0.1"), now_us_);
  const NextHop* hop = keeper_->Find(Ip("127.0.0.1"));
  EXPECT_FALSE(hop->ready);
  EXPECT_NE(hop->problem.find("wire"), std::string::npos);
}

// Not only what the first portion of a sweep comes to.
TEST_F(NeighbourKeeperTest, WhatWasKnownOnAnotherInterfaceIsGoneAtOnce) {
  Shell("ip route add 192.0.2.0/24 via 10.77.0.2");
  std::vector<IpAddress> remotes;
  for (int i = 1; i <= 100; ++i) {
    remotes.push_back(Ip("192.0.2." + std::to_string(i)));
    keeper_->Add(remotes.back(), now_us_);
  }
  for (const IpAddress& remote : remotes) {
    ASSERT_TRUE(WaitFor(remote, IsReady));
  }
  keeper_->SetUplink(*netlink_->LinkByName("lo"), now_us_);
  for (const IpAddress& remote : remotes) {
    EXPECT_FALSE(keeper_->Find(remote)->ready) << ToString(remote);
  }
}

TEST_F(NeighbourKeeperTest, LinksWithoutNeighboursAreReadyAtOnce) {
  Shell("ip tuntap add dev plain mode tun && ip link set plain up");
  Shell("ip address add 10.88.0.1/24 dev plain");
  Watch("plain");
  keeper_->Add(Ip("10.88.0.2"), now_us_);
  EXPECT_TRUE(keeper_->Find(Ip("10.88.0.2"))->ready);
  EXPECT_EQ(keeper_->Find(Ip("10.88.0.2"))->header.size, 0);
  EXPECT_EQ(reports_, 1);
  Watch("lo");
  keeper_->Add(Ip("127.0.0.1"), now_us_);
  ASSERT_TRUE(keeper_->Find(Ip("127.0.0.1"))->ready);
  ExpectHeader(keeper_->Find(Ip("127.0.0.1"))->header, {}, {}, 0x0800);
}

}  // namespace
}  // namespace lwt::host
