// The steps of a platform, each by itself, on a kernel of its own namespace.
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "control/host/guard/offload.h"
#include "control/host/instance/switch_off.h"
#include "control/platform/uplink_set.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/platform/steps.h"

namespace lwt::platform {
namespace {

using host::At;
using host::OutputOf;
using host::Shell;

TEST_F(StepsTest, APlaceIsClaimedOnceAndLeavesNothingRunning) {
  std::string run_dir;
  {
    const auto place = Claim();
    run_dir = place->paths().run_dir;
    EXPECT_TRUE(std::filesystem::exists(run_dir));
    EXPECT_TRUE(absl::IsAlreadyExists(HostPlace::Claim(Spec(), kLog).status()));
  }
  EXPECT_FALSE(std::filesystem::exists(run_dir));
}

TEST_F(StepsTest, APlaceUndoesWhatItsJournalHolds) {
  const auto is_on = [] {
    const auto state = host::ReadFeature("wire", "tx-tcp-segmentation");
    return state.ok() && state->has_value() && (*state)->active;
  };
  ASSERT_TRUE(is_on());
  const int wire = netlink_->LinkByName("wire")->index;
  const auto switch_off = [&](HostPlace& place) {
    const std::vector<std::string_view> feature = {"tx-tcp-segmentation"};
    ASSERT_TRUE(host::SwitchOff("wire", wire, feature, place.journal()).ok());
    ASSERT_FALSE(is_on());
  };
  auto place = Claim();
  switch_off(*place);
  place->UndoAt(wire + 1);  // another link's
  EXPECT_FALSE(is_on());
  place->UndoAt(wire);
  EXPECT_TRUE(is_on());
  switch_off(*place);
  place.reset();
  EXPECT_TRUE(is_on());
}

class TunnelDriverTest
    : public StepsTest,
      public testing::WithParamInterface<config::TunnelPort> {};

INSTANTIATE_TEST_SUITE_P(Drivers, TunnelDriverTest,
                         testing::Values(config::TunnelPort::kOffload,
                                         config::TunnelPort::kTap));

TEST_P(TunnelDriverTest, ATunnelDeviceComesGoesAndComesAgain) {
  for (int round = 0; round < 2; ++round) {
    const auto device = TunnelDevice::Open(Tunnel(GetParam()), *netlink_);
    ASSERT_TRUE(device.ok()) << device.status();
    const std::string shown = OutputOf("ip address show dev lwt7");
    EXPECT_NE(shown.find("mtu 1371"), std::string::npos) << shown;
    EXPECT_NE(shown.find("10.0.0.1/24"), std::string::npos) << shown;
    EXPECT_NE(shown.find("UP"), std::string::npos) << shown;
    EXPECT_NE(OutputOf("ip route show dev lwt7").find("192.0.2.0/24"),
              std::string::npos);
    EXPECT_EQ((*device)->port(0).info().device, "lwt7");
    ASSERT_TRUE(*(*device)->mtu().Propose(1400));
    EXPECT_EQ((*device)->mtu().mtu(), 1400);
    EXPECT_NE(OutputOf("ip link show dev lwt7").find("mtu 1400"),
              std::string::npos);
  }
  EXPECT_FALSE(netlink_->LinkByName("lwt7").ok());
}

TEST_F(StepsTest, ATunnelDeviceThatCannotBeConfiguredIsGoneAgain) {
  TunnelDevice::Spec spec = Tunnel(config::TunnelPort::kOffload);
  spec.networks.push_back(spec.networks.front());  // a route twice
  spec.addresses.push_back(spec.addresses.front());
  EXPECT_FALSE(TunnelDevice::Open(spec, *netlink_).ok());
  EXPECT_FALSE(netlink_->LinkByName("lwt7").ok());
}

TEST_F(StepsTest, AnAttachmentGuardsWhatItTakes) {
  const auto place = Claim();
  const auto tables = [] { return OutputOf("nft list tables"); };
  for (int round = 0; round < 2; ++round) {
    auto attachment = Attach(*place);
    ASSERT_TRUE(attachment.ok()) << attachment.status();
    EXPECT_TRUE((*attachment)->port().info().kernel_sees_frames);
    EXPECT_EQ((*attachment)->link().name, "wire");
    const std::vector<Endpoint> endpoints = {At("10.77.0.1:9000")};
    ASSERT_TRUE((*attachment)->SetEndpoints(endpoints).ok());
    EXPECT_NE(OutputOf("nft list ruleset").find("10.77.0.1"),
              std::string::npos);
  }
  EXPECT_EQ(tables().find("lwt_"), std::string::npos) << tables();
}

TEST_F(StepsTest, TwoAttachmentsStandSideBySide) {
  const auto place = Claim();
  auto first = Attach(*place);
  auto second = Attach(*place);
  ASSERT_TRUE(first.ok() && second.ok());
  const std::vector<Endpoint> endpoints = {At("10.77.0.1:9000")};
  ASSERT_TRUE((*first)->SetEndpoints(endpoints).ok());
  ASSERT_TRUE((*second)->SetEndpoints(endpoints).ok());
  first->reset();
  EXPECT_NE(OutputOf("nft list ruleset").find("10.77.0.1"), std::string::npos);
}

TEST_F(StepsTest, SetsShareWhatBothHave) {
  const auto place = Claim();
  UplinkSet::Attachments attachments;
  for (const uint8_t leg : {0, 5}) {
    auto attachment = Attach(*place, kLog, leg);
    ASSERT_TRUE(attachment.ok()) << attachment.status();
    attachments.push_back(*std::move(attachment));
  }
  auto both = UplinkSet::Of(attachments);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_TRUE((*both)->has_leg(5));
  EXPECT_FALSE((*both)->has_leg(1));
  EXPECT_EQ(FreeLeg({}, both->get(), 0), 1);
  EXPECT_EQ(FreeLeg({*attachments.begin()}, nullptr, 0), 1);
  EXPECT_EQ(FreeLeg({}, both->get(), 4), 6) << "5 is taken";
  EXPECT_EQ(FreeLeg({}, both->get(), 6), 7) << "the one given last is not yet";
  EXPECT_EQ(FreeLeg({}, both->get(), 31), 1) << "round";
  EXPECT_EQ((*both)->LegOf(attachments[0]->link().index), 0);
  EXPECT_EQ((*both)->LegOf(9999), std::nullopt);
  EXPECT_NE(&(*both)->port(), &attachments[0]->port()) << "one that joins them";
  EXPECT_NE((*both)->port().reason().find("served as well: wire"),
            std::string::npos);
  EXPECT_EQ((*both)->Holding(attachments[0]->link()), attachments[0]);
  host::Link other = attachments[0]->link();
  other.name = "other";
  EXPECT_EQ((*both)->Holding(other), nullptr) << "it was renamed";

  auto one = UplinkSet::Of({attachments[1]});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(&(*one)->port(), &attachments[1]->port());
  const UplinkSet::Attachments left = (*both)->Leave(**one);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0], attachments[0]);
  EXPECT_TRUE(attachments[1]->has_port());
}

TEST_F(StepsTest, LoopbackIsGuardedOnLoopbackAlone) {
  const auto place = Claim();
  auto wire = Attach(*place);
  ASSERT_TRUE(wire.ok()) << wire.status();
  const std::vector<Endpoint> endpoints = {
      At("10.77.0.1:9000"), At("127.0.0.1:9000"), At("[::1]:9000")};
  ASSERT_TRUE((*wire)->SetEndpoints(endpoints).ok());
  const std::string rules = OutputOf("nft list ruleset");
  EXPECT_NE(rules.find("10.77.0.1 . 9000"), std::string::npos) << rules;
  EXPECT_EQ(rules.find("127.0.0.1"), std::string::npos) << rules;
  EXPECT_EQ(rules.find("::1 . 9000"), std::string::npos) << rules;
}

TEST_F(StepsTest, AnAttachmentKnowsWhatBecameOfItsLink) {
  const auto place = Claim();
  loop::LogLines lines;
  auto attachment = Attach(*place, lines.log());
  ASSERT_TRUE(attachment.ok()) << attachment.status();
  ASSERT_TRUE((*attachment)->link().up);
  lines.Take();
  Shell("ip link set wire mtu 1400");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_EQ((*attachment)->link().mtu, 1400u);
  Shell("ip link set wire down");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_FALSE((*attachment)->link().up);
  EXPECT_NE(lines.Take().find("uplink wire is down"), std::string::npos);
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_EQ(lines.TakeCount(), 0u) << "said once";
  Shell("ip link set wire up");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_TRUE((*attachment)->link().up);
  EXPECT_NE(lines.Take().find("uplink wire is up"), std::string::npos);
  EXPECT_TRUE((*attachment)->holds()) << "it is the same one, and comes up";
  Shell("ip link set wire name other");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_EQ((*attachment)->link().name, "other");
  EXPECT_FALSE((*attachment)->holds()) << "the guard went with the name";
  Shell("ip link set other name wire");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_TRUE((*attachment)->holds());
  // Another of its number may be there by now.
  (*attachment)->RefreshLink(*netlink_, /*gone=*/true);
  EXPECT_FALSE((*attachment)->holds());
  EXPECT_FALSE((*attachment)->link().up);
}

TEST_F(StepsTest, AnAttachmentOfADeletedLinkIsGone) {
  const auto place = Claim();
  loop::LogLines lines;
  auto attachment = Attach(*place, lines.log());
  ASSERT_TRUE(attachment.ok()) << attachment.status();
  Shell("ip link del wire");
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_FALSE((*attachment)->link().up);
  EXPECT_NE(lines.Take().find("uplink wire is gone"), std::string::npos);
  (*attachment)->RefreshLink(*netlink_);
  EXPECT_EQ(lines.TakeCount(), 0u) << "that too";
  EXPECT_FALSE((*attachment)->holds());
  EXPECT_TRUE((*attachment)->SetEndpoints({}).ok());
}

TEST_F(StepsTest, NoInterfaceIsAnAttachmentTooAndTakesWhatIsSent) {
  const auto place = Claim();
  auto none = UplinkAttachment::Absent(2, *place, kLog);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE((*none)->holds());
  EXPECT_FALSE((*none)->link().up);
  EXPECT_EQ((*none)->link().mtu, 1500u);
  ASSERT_EQ((*none)->port().port_count(), 2);
  const std::vector<Endpoint> endpoints = {At("10.77.0.1:9000")};
  EXPECT_TRUE((*none)->SetEndpoints(endpoints).ok());
  Port& second = (*none)->port().port(1);
  const auto& pool = EalOfTests::memory->small();
  const uint32_t free = pool.free_count();
  rte_mbuf* frame = rte_pktmbuf_alloc(pool.get());
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(second.Receive(std::span(&frame, 1)), 0);
  EXPECT_EQ(second.Transmit(std::span(&frame, 1)), 1);
  EXPECT_EQ(pool.free_count(), free);
  EXPECT_EQ(second.ReadCounters().tx_refused, 1u);
  EXPECT_EQ((*none)->port().ReadCounters().tx_refused, 0u);
}

}  // namespace
}  // namespace lwt::platform
