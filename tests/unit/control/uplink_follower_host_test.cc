// When a gateway looks where its uplink should be, and what it says and does
// where there is none: in a time of the test's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/uplink_follower.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

using host::Ip;
using host::Shell;

class UplinkFollowerTest : public OnStand {
 protected:
  void SetUp() override {
    OnStand::SetUp();
    index_ = platform().link().index;
    Follow();
  }
  void TearDown() override {
    follower_.reset();
    Shell(
        "ip link set wire up && ip address replace fd77::1/64 dev wire nodad");
    host::WaitUntilLinkIsUp("wire");
    platform().RefreshLinks();
    OnStand::TearDown();
  }
  void Follow() {
    follower_.emplace(
        config_, platform(),
        [this] {
          ++asked_;
          return destinations_;
        },
        lines_.log());
  }
  // A client that goes where its hub is, by whatever interface.
  void BeAFreeClient() {
    config_.mode = config::Mode::kClient;
    config_.uplink.interface.clear();
    Follow();
  }
  // The kernel told of our link.
  void LinkChanged() { follower_->HostChanged({.links = {index_}}, now_us_); }
  // What is due, in the order of time; whether the uplink is another one.
  bool Look() {
    now_us_ = std::max(now_us_, follower_->next_deadline_us());
    return follower_->OnTimer(now_us_);
  }
  // The workers have left the port before. How many rounds it took.
  void Settle() {
    const uint64_t end_us = NowUs() + 10 * kSecond;
    while (follower_->next_deadline_us() <=
           now_us_ + UplinkFollower::kSettleUs) {
      ASSERT_LT(NowUs(), end_us);
      Look();
      poll(nullptr, 0, 1);
    }
  }
  void Rename(const std::string& from, const std::string& to) {
    Shell("ip link set " + from + " name " + to);
    LinkChanged();
    EXPECT_TRUE(Look()) << "the same one is opened by its new name";
    EXPECT_EQ(platform().uplink().info().device, to);
    EXPECT_EQ(platform().link().index, index_);
  }

  int index_ = 0;
  int asked_ = 0;
  uint64_t now_us_ = 1000 * kSecond;
  std::vector<IpAddress> destinations_;
  std::optional<UplinkFollower> follower_;
};

TEST_F(UplinkFollowerTest, ItLooksTenTimesASecondAtMost) {
  EXPECT_EQ(follower_->next_deadline_us(), UINT64_MAX);
  follower_->HostChanged({.routes = true}, now_us_);
  EXPECT_EQ(follower_->next_deadline_us(), now_us_) << "the first at once";
  EXPECT_FALSE(Look());
  EXPECT_EQ(follower_->next_deadline_us(), UINT64_MAX);
  const uint64_t looked_us = now_us_;
  int looks = 0;
  for (; now_us_ < looked_us + kSecond; now_us_ += 1000) {
    follower_->HostChanged({.routes = true}, now_us_);
    EXPECT_LE(follower_->next_deadline_us(),
              now_us_ + UplinkFollower::kLookEveryUs)
        << "more changes do not put it off";
    if (follower_->next_deadline_us() > now_us_) continue;
    ++looks;
    EXPECT_FALSE(follower_->OnTimer(now_us_));
  }
  EXPECT_GE(looks, 9);
  EXPECT_LE(looks, 10);
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

TEST_F(UplinkFollowerTest, WhatIsNotItsConcernIsNoReasonToLook) {
  follower_->HostChanged({}, now_us_);
  follower_->HostChanged({.gone = {index_}}, now_us_);
  EXPECT_EQ(follower_->next_deadline_us(), UINT64_MAX);
  EXPECT_FALSE(follower_->OnTimer(now_us_)) << "nothing is due";
  const host::HostChanges all[] = {{.everything = true},
                                   {.routes = true},
                                   {.links = {index_}},
                                   {.addresses = {index_}}};
  for (const host::HostChanges& changes : all) {
    now_us_ += kSecond;
    follower_->HostChanged(changes, now_us_);
    EXPECT_EQ(follower_->next_deadline_us(), now_us_);
    EXPECT_FALSE(Look());
  }
}

TEST_F(UplinkFollowerTest, ANamedUplinkIsNotChosenByWhereFlowsGo) {
  config_.mode = config::Mode::kClient;
  destinations_ = {Ip("10.78.0.7")};
  EXPECT_FALSE(follower_->LeadTo(Ip("10.78.0.7"), now_us_));
  follower_->HostChanged({.everything = true}, now_us_);
  EXPECT_FALSE(Look());
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(platform().link().index, index_);
}

TEST_F(UplinkFollowerTest, AFreeClientStaysWhereOneOfItsFlowsGoes) {
  BeAFreeClient();
  follower_->HostChanged({.routes = true}, now_us_);
  EXPECT_FALSE(Look()) << "nobody goes anywhere yet";
  EXPECT_EQ(asked_, 1);
  // One that leads nowhere, one by another interface, and one by ours.
  destinations_ = {Ip("198.51.100.1"), Ip("10.78.0.7"), Ip("10.77.0.2")};
  now_us_ += kSecond;
  follower_->HostChanged({.routes = true}, now_us_);
  EXPECT_FALSE(Look());
  EXPECT_FALSE(follower_->LeadTo(Ip("10.78.0.7"), now_us_));
  EXPECT_EQ(asked_, 3);
  EXPECT_EQ(follower_->problem(), "");
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

// That the uplink stands while a flow has no way is the flow's to tell.
TEST_F(UplinkFollowerTest, AWayThatIsMissingIsNoLackOfAnUplink) {
  BeAFreeClient();
  destinations_ = {Ip("198.51.100.1")};
  follower_->HostChanged({.routes = true}, now_us_);
  EXPECT_FALSE(Look());
  EXPECT_FALSE(follower_->LeadTo(Ip("203.0.113.1"), now_us_));
  EXPECT_EQ(follower_->problem(), "");
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

TEST_F(UplinkFollowerTest, WhatItWaitsForIsSaidOnceAndItsEndToo) {
  Shell("ip link set wire down");
  LinkChanged();
  EXPECT_FALSE(Look());
  const std::string problem = follower_->problem();
  EXPECT_EQ(problem.find("no uplink: wire"), 0u) << problem;
  EXPECT_EQ(lines_.TakeCount(), 1u);
  for (int i = 0; i < 10; ++i) {
    LinkChanged();
    EXPECT_FALSE(Look());
  }
  EXPECT_EQ(follower_->problem(), problem);
  EXPECT_EQ(lines_.TakeCount(), 0u) << "nothing is new";
  Shell("ip link set wire up");
  host::WaitUntilLinkIsUp("wire");
  LinkChanged();
  EXPECT_FALSE(Look()) << "it is the same one";
  EXPECT_EQ(follower_->problem(), "");
  EXPECT_NE(lines_.Take().find("uplink wire again"), std::string::npos);
  LinkChanged();
  EXPECT_FALSE(Look());
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

TEST_F(UplinkFollowerTest, AClientGuardsTheNameBeforeForAWhile) {
  config_.mode = config::Mode::kClient;
  Rename("wire", "wire2");
  Settle();
  EXPECT_EQ(follower_->next_deadline_us(), now_us_ + UplinkFollower::kGuardUs);
  Rename("wire2", "wire");
  Settle();
  EXPECT_EQ(follower_->next_deadline_us(), now_us_ + UplinkFollower::kGuardUs)
      << "the later counts";
  EXPECT_FALSE(Look());
  EXPECT_EQ(follower_->next_deadline_us(), UINT64_MAX);
}

TEST_F(UplinkFollowerTest, AHubGuardsTheNameBeforeUntilItsWorkersLeft) {
  for (const bool back : {false, true}) {
    Rename(back ? "wire2" : "wire", back ? "wire" : "wire2");
    EXPECT_LE(follower_->next_deadline_us(), now_us_) << "it looks at once";
    Settle();
    EXPECT_EQ(follower_->next_deadline_us(), UINT64_MAX);
    now_us_ += kSecond;
  }
}

}  // namespace
}  // namespace lwt
