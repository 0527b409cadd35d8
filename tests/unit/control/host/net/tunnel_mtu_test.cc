#include "control/host/net/tunnel_mtu.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace lwt::host {
namespace {

constexpr uint16_t kLeast = 1280;  // IPv6 inside
constexpr uint16_t kMost = 1409;
constexpr uint16_t kAlone = 1389;

class TunnelMtuTest : public testing::Test {
 protected:
  absl::Status Set(uint16_t mtu) {
    if (!refusal_.ok()) return refusal_;
    set_.push_back(mtu);
    return absl::OkStatus();
  }

  TunnelMtu::Bounds bounds_{kLeast, kMost, kAlone};
  absl::Status refusal_;
  std::vector<uint16_t> set_;  // what the device was given
  TunnelMtu mtu_{[this] { return bounds_; },
                 [this](uint16_t mtu) { return Set(mtu); }};
};

TEST_F(TunnelMtuTest, NothingIsSetUntilItIsAsked) {
  EXPECT_EQ(mtu_.mtu(), kAlone);
  EXPECT_TRUE(set_.empty());
  EXPECT_TRUE(mtu_.Restore().ok());
  EXPECT_EQ(set_, (std::vector<uint16_t>{kAlone}));
}

TEST_F(TunnelMtuTest, TheLastProposalCountsUntilAllPeersAreGone) {
  EXPECT_TRUE(*mtu_.Propose(1400));
  EXPECT_TRUE(*mtu_.Propose(1350));
  EXPECT_FALSE(*mtu_.Propose(1350)) << "said before";
  EXPECT_TRUE(*mtu_.Propose(1390));
  EXPECT_EQ(mtu_.mtu(), 1390);
  EXPECT_TRUE(*mtu_.Propose(0));
  EXPECT_EQ(mtu_.mtu(), kAlone);
  EXPECT_FALSE(*mtu_.Propose(0));
  EXPECT_EQ(set_, (std::vector<uint16_t>{1400, 1350, 1390, kAlone}));
}

TEST_F(TunnelMtuTest, NoPeerShrinksItBelowWhatIpv6Needs) {
  for (const uint16_t mtu : {uint16_t{1}, uint16_t{576}, uint16_t{1279}}) {
    ASSERT_TRUE(mtu_.Propose(mtu).ok());
    EXPECT_EQ(mtu_.mtu(), kLeast) << mtu;
  }
  ASSERT_TRUE(mtu_.Propose(std::numeric_limits<uint16_t>::max()).ok());
  EXPECT_EQ(mtu_.mtu(), kMost);
  EXPECT_EQ(set_, (std::vector<uint16_t>{kLeast, kMost}));
  EXPECT_TRUE(mtu_.TooSmall(kLeast - 1));
  EXPECT_FALSE(mtu_.TooSmall(kLeast));
}

TEST_F(TunnelMtuTest, AnMtuThatWasRefusedIsTriedAgain) {
  refusal_ = absl::UnavailableError("the device is busy");
  EXPECT_EQ(mtu_.Propose(1300).status().message(), "the device is busy");
  EXPECT_EQ(mtu_.mtu(), kAlone) << "it has what it had";
  refusal_ = absl::OkStatus();
  EXPECT_TRUE(*mtu_.Propose(1300));
  EXPECT_EQ(set_, (std::vector<uint16_t>{1300}));
}

TEST_F(TunnelMtuTest, FollowsTheLinkAtTheNextDecision) {
  EXPECT_TRUE(*mtu_.Propose(1405));
  bounds_.most = 1300;
  bounds_.alone = 1290;
  EXPECT_TRUE(*mtu_.Propose(1405));
  EXPECT_EQ(mtu_.mtu(), 1300);
  EXPECT_TRUE(*mtu_.Propose(0));
  EXPECT_EQ(mtu_.mtu(), 1290);
}

}  // namespace
}  // namespace lwt::host
