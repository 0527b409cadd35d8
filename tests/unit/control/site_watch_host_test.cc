// What is said of a host that does not do its part for the networks that it
// announces.
#include <gtest/gtest.h>
#include <net/if.h>

#include <memory>
#include <optional>

#include "control/site_watch.h"
#include "control/telemetry/status.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/netns.h"

namespace lwt {
namespace {

using host::OutputOf;
using host::Shell;

// "tun" stands for the tunnel device.
class SiteWatchTest : public host::TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    Shell(
        "ip link add tun type veth peer name far && ip link set far up && "
        "ip link set tun up && ip address add 10.0.0.1/24 dev tun && "
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    host::WaitUntilLinkIsUp("tun");
    netlink_ = *host::Netlink::Open();
    config_.tunnel.device = "tun";
    watch_.emplace(config_, *netlink_, static_cast<int>(if_nametoindex("tun")),
                   lines_.log());
  }
  void Announce(std::initializer_list<const char*> networks) {
    config_.routing.own.clear();
    for (const char* text : networks) {
      config_.routing.own.push_back(*ParseIpPrefix(text));
    }
    ASSERT_TRUE(watch_->Apply(config_, now_us_).ok());
  }
  // What the next look has the log say.
  std::string Look() {
    now_us_ = std::max(now_us_, watch_->NextDeadline());
    watch_->OnTimer(now_us_);
    return lines_.Take();
  }
  std::string Shown() const {
    telemetry::Status status;
    watch_->Report(status, now_us_);
    return status.tunnel.reason;
  }
  static bool Has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  }

  std::optional<host::InNetns> in_;
  std::unique_ptr<host::Netlink> netlink_;
  config::Config config_;
  loop::LogLines lines_;
  std::optional<SiteWatch> watch_;
  uint64_t now_us_ = 1'000'000;
};

TEST_F(SiteWatchTest, NothingIsAmissWhereTheHostForwards) {
  EXPECT_EQ(Look(), "");
  EXPECT_EQ(watch_->NextDeadline(), loop::Component::kNever)
      << "no networks, no looks";
  Announce({"10.77.0.0/24", "fd77::/64"});
  EXPECT_EQ(watch_->NextDeadline(), 0u);
  EXPECT_EQ(Look(), "");
  EXPECT_EQ(watch_->NextDeadline(), now_us_ + SiteWatch::kEveryUs);
  EXPECT_EQ(Shown(), "");
}

TEST_F(SiteWatchTest, ASwitchThatIsOffIsSaidOnceAndNeverChanged) {
  Announce({"10.77.0.0/24", "fd77::/64"});
  Shell("sysctl -qw net.ipv4.ip_forward=0");
  const std::string said = Look();
  EXPECT_TRUE(Has(said, "hosts of 10.77.0.0/24")) << said;
  EXPECT_TRUE(Has(said, "`sysctl -w net.ipv4.ip_forward=1`")) << said;
  EXPECT_FALSE(Has(said, "ipv6")) << said;
  EXPECT_TRUE(Has(Shown(), "net.ipv4.ip_forward=1")) << Shown();
  EXPECT_EQ(Look(), "") << "as before";
  EXPECT_EQ(OutputOf("sysctl -n net.ipv4.ip_forward"), "0\n");
  Shell(
      "sysctl -qw net.ipv4.ip_forward=1 && "
      "sysctl -qw net.ipv6.conf.all.forwarding=0");
  const std::string six = Look();
  EXPECT_TRUE(Has(six, "`sysctl -w net.ipv6.conf.all.forwarding=1`")) << six;
  EXPECT_TRUE(Has(six, "fd77::/64")) << six;
  EXPECT_FALSE(Has(Shown(), "ipv4")) << "that is fixed";
  Shell("sysctl -qw net.ipv6.conf.all.forwarding=1");
  EXPECT_EQ(Look(), "");
  EXPECT_EQ(Shown(), "");
  // It comes again, and is said again.
  Shell("sysctl -qw net.ipv4.ip_forward=0");
  EXPECT_NE(Look(), "");
}

// The switch of the device that packets come from is the one that counts.
TEST_F(SiteWatchTest, TheDevicesOwnSwitchCounts) {
  Announce({"10.77.0.0/24"});
  Shell("sysctl -qw net.ipv4.conf.tun.forwarding=0");
  EXPECT_NE(Look(), "");
  Shell(
      "sysctl -qw net.ipv4.ip_forward=0 && "
      "sysctl -qw net.ipv4.conf.tun.forwarding=1");
  EXPECT_EQ(Look(), "");
}

TEST_F(SiteWatchTest, WhoForwardsByALanPortOrToItselfNeedsNoSwitch) {
  Shell(
      "sysctl -qw net.ipv4.ip_forward=0 && "
      "sysctl -qw net.ipv6.conf.all.forwarding=0");
  Announce({"10.77.0.1/32", "fd77::1/128"});
  EXPECT_EQ(Look(), "") << "addresses of this host";
  Announce({"10.77.0.2/32"});
  EXPECT_NE(Look(), "") << "another host";
  config_.lan.port.interface = "wire";
  Announce({"10.77.0.0/24", "fd77::/64"});
  EXPECT_EQ(Look(), "");
}

TEST_F(SiteWatchTest, ANetworkWithoutAWayIsNamed) {
  Announce({"192.168.7.0/24", "fd99::/64"});
  const std::string none = Look();
  EXPECT_TRUE(Has(none, "way to 192.168.7.0/24")) << none;
  EXPECT_TRUE(Has(none, "is none; `ip route add 192.168.7.0/24 via ROUTER`"))
      << none;
  EXPECT_TRUE(Has(none, "way to fd99::/64")) << none;
  // With a default route it would leave there, and with halves come back.
  Shell("ip route add default via 10.77.0.2");
  watch_->OnHostChanges({.routes = true}, now_us_);
  EXPECT_TRUE(Has(Look(), "is the default route alone;"));
  Shell("ip route add 128.0.0.0/1 dev tun");
  EXPECT_TRUE(Has(Look(), "is the tunnel;"));
  Shell(
      "ip route add 192.168.7.0/24 via 10.77.0.2 && "
      "ip -6 route add fd99::/64 via fd77::2");
  EXPECT_EQ(Look(), "");
  EXPECT_EQ(Shown(), "");
}

TEST_F(SiteWatchTest, RoutesThatFlapAreLookedAtOnceASecond) {
  Announce({"10.77.0.0/24"});
  Look();
  const uint64_t looked_us = now_us_;
  for (int i = 0; i < 100; ++i) {
    watch_->OnHostChanges({.routes = true}, now_us_ + 1);
    EXPECT_EQ(watch_->NextDeadline(), looked_us + SiteWatch::kGapUs);
  }
  watch_->OnHostChanges({.links = {1}}, now_us_);
  Look();
  EXPECT_EQ(watch_->NextDeadline(), now_us_ + SiteWatch::kEveryUs);
}

}  // namespace
}  // namespace lwt
