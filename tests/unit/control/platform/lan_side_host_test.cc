// The LAN port as a step of its own: what it refuses, what it guards, what it
// leaves behind.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <string>

#include "control/platform/lan_side.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/platform/steps.h"

namespace lwt::platform {
namespace {

using host::Ip;
using host::OutputOf;
using host::Shell;

IpPrefix Net(std::string_view text) { return ParseIpPrefix(text).value(); }

class LanSideTest : public StepsTest {
 protected:
  void SetUp() override {
    StepsTest::SetUp();
    Shell(
        "ip link add lan type veth peer name host && ip address add "
        "192.168.7.1/24 dev lan && ip link set lan up && ip link set host up");
    host::WaitUntilLinkIsUp("lan");
    config_.mode = config::Mode::kServer;
    config_.tunnel.addresses = {Net("10.0.0.1/24"), Net("fd11::1/64")};
    config_.tunnel.device = "lwt7";
    config_.hub.peers = {{"", {Net("192.0.2.0/24"), Net("fd22::/64")}}};
    config_.lan.port.interface = "lan";
  }
  absl::StatusOr<std::unique_ptr<LanSide>> Open(uint16_t workers = 1) {
    const host::Link uplink = *netlink_->LinkByName("wire");
    return LanSide::Open({.config = config_,
                          .tunnel_device = config_.tunnel.device,
                          .netlink = *netlink_,
                          .uplink = uplink,
                          .log = lines_.log(),
                          .workers = workers,
                          .small_pool = memory_->small().get(),
                          .jumbo_pool = memory_->jumbo().get()});
  }
  std::string Refusal() {
    const absl::Status status = Open().status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
  static std::string Rules() { return OutputOf("nft list ruleset"); }

  loop::LogLines lines_;
  config::Config config_;
};

TEST_F(LanSideTest, AnInterfaceThatCannotBeOneIsRefusedWithItsRemedy) {
  const struct {
    std::string prepare;
    std::string name;
    std::string why;
  } rows[] = {
      {"true", "wire",
       "lan_port wire is the uplink; name another interface, or leave lan_port "
       "out to let the kernel forward"},
      {"true", "lo", "lan_port lo is no Ethernet interface"},
      {"ip link set lan down", "lan",
       "lan_port lan is down; `ip link set dev lan up`"},
      {"ip link set lan up && ip link add lwt7 type veth peer "
       "name lwt8 && ip link set lwt7 up",
       "lwt7", "lan_port lwt7 is the tunnel device itself"},
      {"ip address add 10.0.0.77/16 dev lan", "lan",
       "lan_port lan has a network that leads into the tunnel too: "},
      {"ip address del 10.0.0.77/16 dev lan && "
       "ip address add 192.0.2.9/25 dev lan",
       "lan", "lan_port lan has a network that leads into the tunnel too: "},
  };
  for (const auto& row : rows) {
    Shell(row.prepare);
    config_.lan.port.interface = row.name;
    EXPECT_TRUE(Refusal().starts_with(row.why)) << Refusal();
  }
  config_.lan.port.interface = "nowhere";
  EXPECT_TRUE(absl::IsNotFound(Open().status()));
  EXPECT_TRUE(Refusal().starts_with("lan_port nowhere: ")) << Refusal();
  EXPECT_EQ(Rules().find("lwt_"), std::string::npos) << "nothing is left";
}

TEST_F(LanSideTest, TheKernelIsKeptOffWhatThePortTakes) {
  {
    const auto side = Open();
    ASSERT_TRUE(side.ok()) << side.status();
    EXPECT_EQ((*side)->link().name, "lan");
    EXPECT_EQ((*side)->info().driver, "af_packet");
    EXPECT_EQ((*side)->twin(), nullptr) << "the kernel sees the frames";
    EXPECT_EQ((*side)->port_count(), 1);
    EXPECT_EQ((*side)->reason(),
              "af_packet with super-frames, neighbours by the kernel");
    const std::string rules = Rules();
    for (const char* element : {"10.0.0.0/24", "192.0.2.0/24", "fd11::/64",
                                "fd22::/64", "10.0.0.1", "fd11::1"}) {
      EXPECT_NE(rules.find(element), std::string::npos) << element << rules;
    }
    EXPECT_NE(rules.find("\"lan\""), std::string::npos) << rules;
  }
  EXPECT_EQ(Rules().find("lwt_"), std::string::npos) << Rules();
}

TEST_F(LanSideTest, EachWorkerHasAPort) {
  config_.uplink.super_frames = false;
  const auto side = Open(2);
  ASSERT_TRUE(side.ok()) << side.status();
  EXPECT_EQ((*side)->port_count(), 2);
  EXPECT_NE((*side)->port(0), (*side)->port(1));
  EXPECT_EQ((*side)->reason(),
            "af_packet without super-frames, neighbours by the kernel");
}

TEST_F(LanSideTest, WhatNobodyCanUseIsWarnedOf) {
  Shell("ip address del 192.168.7.1/24 dev lan && ip -6 address flush dev lan");
  ASSERT_TRUE(Open().ok());
  EXPECT_NE(lines_.Take().find("lan_port lan has no address: its hosts have no "
                               "gateway to send to"),
            std::string::npos);
  Shell("ip link set host down");
  ASSERT_TRUE(Open().ok());
  EXPECT_NE(lines_.Take().find("lan_port lan has no carrier"),
            std::string::npos);
}

TEST_F(LanSideTest, AFallenLinkAndAConflictAreSaid) {
  const auto side = Open();
  ASSERT_TRUE(side.ok()) << side.status();
  (*side)->Start({});
  lines_.Take();
  Shell("ip link set lan down");
  (*side)->OnHostChanges({.everything = true}, 0);
  EXPECT_NE(lines_.Take().find(" warn  LAN port lan is down"),
            std::string::npos);
  (*side)->OnHostChanges({.everything = true}, 0);
  EXPECT_EQ(lines_.TakeCount(), 0u) << "once";
  Shell("ip link set lan up && ip address add 10.0.0.200/25 dev lan");
  (*side)->OnHostChanges({.everything = true}, 0);
  const std::string said = lines_.Take();
  EXPECT_NE(said.find(" warn  LAN port lan is up"), std::string::npos) << said;
  EXPECT_NE(said.find(" error LAN port lan leads into the tunnel too: "),
            std::string::npos)
      << said;
}

TEST_F(LanSideTest, AMemifHasAKernelSideAndIsGoneWithIt) {
  const std::string path = scratch_.path() + "/lan.sock";
  config_.lan.port = {.interface = "", .memif_socket = path};
  config_.lan.addresses = {Net("192.168.8.1/24")};
  config_.tunnel.device = "a-long-device";
  {
    const auto side = Open();
    ASSERT_TRUE(side.ok()) << side.status();
    EXPECT_NE((*side)->twin(), nullptr);
    EXPECT_EQ((*side)->port_count(), 1);
    EXPECT_EQ((*side)->link().name, "a-long-devi-lan") << "15 letters";
    const std::string shown = OutputOf("ip address show dev a-long-devi-lan");
    EXPECT_NE(shown.find("192.168.8.1/24"), std::string::npos) << shown;
    struct stat file;
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_TRUE(S_ISSOCK(file.st_mode));
    EXPECT_EQ((*side)->table()->spec().addresses,
              std::vector<IpPrefix>{Net("192.168.8.1/24")});
  }
  EXPECT_FALSE(netlink_->LinkByName("a-long-devi-lan").ok());
}

TEST_F(LanSideTest, AMemifHasOneWorker) {
  config_.lan.port = {.interface = "",
                      .memif_socket = scratch_.path() + "/lan.sock"};
  config_.lan.addresses = {Net("192.168.8.1/24")};
  const auto side = Open(3);
  EXPECT_EQ(side.status().message(),
            "lan_port memif has one queue, but there are 3 workers; set "
            "workers = 1");
  EXPECT_FALSE(netlink_->LinkByName("lwt7-lan").ok());
}

TEST(RoutedByTest, IsWhatLeadsToPeersAndWhatIsKept) {
  config::Config config;
  config.tunnel.addresses = {Net("10.0.0.1/24"), Net("fd11::1/64")};
  config.hub.peers = {{"", {Net("10.9.0.0/16")}}};
  const RoutedSet set = RoutedBy(config);
  EXPECT_EQ(set.networks,
            (std::vector<IpPrefix>{Net("10.0.0.0/24"), Net("fd11::/64"),
                                   Net("10.9.0.0/16")}));
  EXPECT_EQ(set.kept, (std::vector<IpAddress>{Ip("10.0.0.1"), Ip("fd11::1")}));
}

}  // namespace
}  // namespace lwt::platform
