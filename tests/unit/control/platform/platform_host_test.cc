// A whole platform: brought up, moved to another uplink while its workers run,
// and taken down, with nothing left on the host.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <optional>

#include "control/platform/platform.h"
#include "tests/unit/control/host/netns.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt {
namespace {

using host::At;
using host::OutputOf;
using host::Shell;

// Whether the TCP connection stands within two seconds.
bool Connects(const Endpoint& to) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  std::memcpy(&address.sin_addr, to.address.bytes.data(), 4);
  connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  pollfd waited{.fd = fd, .events = POLLOUT, .revents = 0};
  int error = -1;
  socklen_t size = sizeof(error);
  if (poll(&waited, 1, 2000) == 1) {
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  close(fd);
  return error == 0;
}

class PlatformTest : public host::TwoHosts {
 protected:
  void SetUp() override {
    TwoHosts::SetUp();
    in_.emplace(left_);
    Shell("ip link add spare type veth peer name spare netns " + right_.path());
    Shell("ip address add 10.78.0.1/24 dev spare && ip link set spare up");
    {
      const host::InNetns there(right_);
      Shell("ip address add 10.78.0.2/24 dev spare && ip link set spare up");
    }
    host::WaitUntilLinkIsUp("spare");
    config_.mode = config::Mode::kServer;
    config_.tunnel.addresses = {ParseIpPrefix("10.0.0.1/24").value()};
    config_.tunnel.device = "lwt7";
    config_.hub.local = {At("0.0.0.0:9000")};
    config_.hub.max_clients = 2;
    config_.uplink.interface = "late";
    config_.workers.count = 2;
    config_.workers.arena_mib = 1;
    config_.host.state_dir = scratch_.path() + "/state";
    config_.host.control_socket = scratch_.path() + "/control.sock";
  }
  // Workers take SYNs from now on.
  static void Listen(Platform& platform) {
    const auto picture = std::make_shared<const Snapshot>();
    for (const auto& worker : platform.workers()) {
      worker->mailbox().Publish(picture);
      worker->mailbox().Send(ListenCommand{{At("0.0.0.0:9000")}});
    }
    ASSERT_TRUE(platform
                    .SetEndpoints(
                        std::vector{At("10.77.0.1:9000"), At("10.78.0.1:9000")})
                    .ok());
  }
  bool Reaches(const Endpoint& to) {
    const host::InNetns there(right_);
    return Connects(to);
  }

  // What a port counted is not lost with it, nor while it is being left.
  static uint64_t Refused(const Platform& platform) {
    return platform.ReadUplinkCounters().tx_refused;
  }
  static void RefuseAFrame(const Platform& platform) {
    rte_mbuf* frame = rte_pktmbuf_alloc(platform.small_pool().get());
    ASSERT_NE(frame, nullptr);
    platform.uplinks().attachments().front()->port().Transmit({&frame, 1});
  }

  const loop::Log log_{loop::LogLevel::kError};
  host::ScratchDir scratch_;
  std::optional<host::InNetns> in_;
  config::Config config_;
};

TEST_F(PlatformTest, ItMovesToAnotherUplinkWhileItRuns) {
  const std::string links = OutputOf("ip -br link");
  {
    auto platform = Platform::BringUp(config_, std::nullopt, log_);
    ASSERT_TRUE(platform.ok()) << platform.status();
    ASSERT_EQ((*platform)->workers().size(), 2u);
    EXPECT_FALSE((*platform)->has_uplink()) << "there is no such interface yet";
    EXPECT_EQ((*platform)->uplink().info().driver, "none");
    EXPECT_FALSE((*platform)->link().up);
    EXPECT_TRUE(
        absl::IsNotFound((*platform)->ChooseUplink(std::nullopt).status()));
    EXPECT_EQ((*platform)->tunnel().info().device, "lwt7");
    Listen(**platform);
    auto netlink = host::Netlink::Open();
    ASSERT_TRUE(netlink.ok());
    Shell("ip link set wire name late");
    const auto late = (*platform)->ChooseUplink(std::nullopt);
    ASSERT_TRUE(late.ok()) << late.status();
    RefuseAFrame(**platform);
    EXPECT_EQ(Refused(**platform), 1u);
    ASSERT_TRUE((*platform)->ReplaceUplink(*late).ok());
    EXPECT_EQ(Refused(**platform), 1u);
    EXPECT_TRUE((*platform)->has_uplink());
    EXPECT_TRUE(
        absl::IsUnavailable((*platform)->ReplaceUplink(*late).status()) ||
        (*platform)->Settle());
    while (!(*platform)->Settle()) {
    }
    EXPECT_EQ(Refused(**platform), 1u);
    EXPECT_TRUE(Reaches(At("10.77.0.1:9000")));
    EXPECT_FALSE(Reaches(At("10.78.0.1:9000")))
        << "nobody listens on the other interface, and no kernel answers";

    // Renamed it is the one that was meant, and has to be taken again: its
    // guard went with the name.
    Shell("ip link set late name wire");
    (*platform)->RefreshLinks();
    EXPECT_FALSE((*platform)->has_uplink());
    const auto renamed = (*platform)->ChooseUplink(std::nullopt);
    ASSERT_TRUE(renamed.ok()) << renamed.status();
    EXPECT_EQ(renamed->link.name, "wire");
    ASSERT_TRUE((*platform)->ReplaceUplink(*renamed).ok());
    while (!(*platform)->Settle()) {
    }
    EXPECT_TRUE(Reaches(At("10.77.0.1:9000")));

    const auto spare = host::UplinkByName(**netlink, "spare");
    ASSERT_TRUE(spare.ok()) << spare.status();
    ASSERT_TRUE((*platform)->ReplaceUplink(*spare).ok());
    EXPECT_EQ((*platform)->link().name, "spare");
    while (!(*platform)->Settle()) {
    }
    EXPECT_TRUE(Reaches(At("10.78.0.1:9000")));
    EXPECT_NE(OutputOf("nft list ruleset").find("\"wire\""), std::string::npos)
        << "what still comes there meets no kernel";
    (*platform)->DropGuards();
    // The attachment before is gone with its guard: here the kernel answers.
    const std::string guard = OutputOf("nft list ruleset");
    EXPECT_EQ(guard.find("\"wire\""), std::string::npos) << guard;
    EXPECT_NE(guard.find("spare"), std::string::npos) << guard;
    EXPECT_TRUE(
        (*platform)->ReplaceUplink(*host::UplinkByName(**netlink, "wire")).ok())
        << "and back";
    while (!(*platform)->Settle()) {
    }
    EXPECT_TRUE(Reaches(At("10.77.0.1:9000")));
  }
  EXPECT_EQ(OutputOf("ip -br link"), links);
  EXPECT_EQ(OutputOf("nft list tables").find("lwt_"), std::string::npos);
}

}  // namespace
}  // namespace lwt
