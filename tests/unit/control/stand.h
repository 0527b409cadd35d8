// A platform with running workers in a namespace of its own, and what a gateway
// puts on it, for tests of the parts that only the root folder joins. EAL
// starts once in a process, so all tests of a program share the platform.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/gateway_parts.h"
#include "control/handshake/psk.h"
#include "control/host/net/netlink_monitor.h"
#include "control/telemetry/status.h"
#include "control/workers/mailbox_link.h"
#include "control/workers/mailbox_rings.h"
#include "control/workers/worker_inbox.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/netns.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt {

// 10.77.0.1 and fd77::1 here on "wire", the uplink, 10.77.0.2 and fd77::2
// there; and "spare", 10.78.0.1 here, that is no uplink.
class Stand : public testing::Environment {
 public:
  void SetUp() override {
    here_.emplace(left_);
    host::Shell(
        "ip link add wire type veth peer name wire netns " + right_.path() +
        " && ip address add 10.77.0.1/24 dev wire && ip address add "
        "fd77::1/64 dev wire nodad && ip link set wire up && "
        "ip link add spare type veth peer name other && "
        "ip address add 10.78.0.1/24 dev spare && ip link set spare up && "
        "ip link set other up");
    {
      const host::InNetns there(right_);
      host::Shell(
          "ip address add 10.77.0.2/24 dev wire && ip address add fd77::2/64 "
          "dev wire nodad && ip link set wire up");
      host::WaitUntilLinkIsUp("wire");
    }
    host::WaitUntilLinkIsUp("wire");
    config.mode = config::Mode::kServer;
    config.tunnel.addresses = {ParseIpPrefix("10.0.0.1/24").value()};
    config.tunnel.device = "lwt7";
    config.hub.local = {host::At("0.0.0.0:9000")};
    config.hub.max_clients = 4;
    config.uplink.interface = "wire";
    config.workers.count = 2;
    config.workers.arena_mib = 1;
    config.host.state_dir = scratch_.path() + "/state";
    config.host.control_socket = scratch_.path() + "/control.sock";
    auto up = Platform::BringUp(config, std::nullopt, log_);
    ASSERT_TRUE(up.ok()) << up.status();
    platform = *std::move(up);
  }
  void TearDown() override {
    platform.reset();
    here_.reset();
  }
  const host::Netns& there() const { return right_; }

  config::Config config;
  std::unique_ptr<Platform> platform;

 private:
  host::Netns left_;
  host::Netns right_;
  std::optional<host::InNetns> here_;
  host::ScratchDir scratch_;
  const loop::Log log_{loop::LogLevel::kError};
};

// Owned by GoogleTest.
inline Stand* const kStand =
    static_cast<Stand*>(testing::AddGlobalTestEnvironment(new Stand));

// What a gateway has on its platform, a fresh one for each test.
class OnStand : public testing::Test, private peer::WorkerInbox::Sink {
 protected:
  static constexpr uint64_t kSecond = 1'000'000;

  void SetUp() override {
    config_ = kStand->config;
    ASSERT_TRUE(kStand->platform);
    resolver_ = *host::Resolver::Create(
        [this](
            const std::string& name) -> absl::StatusOr<std::vector<IpAddress>> {
          const auto found = hosts_.find(name);
          if (found == hosts_.end()) {
            return absl::NotFoundError(name + " is no host");
          }
          return std::vector{found->second};
        });
    names_.emplace(*resolver_);
    event_loop_ = *loop::EventLoop::Create();
    background_ = *loop::Background::Create(*event_loop_);
    secrets_.keys = handshake::KeyRing(handshake::NullPsk());
    secrets_.identity = handshake::GenerateStaticKey();
    platform().monitor().Drain();
    Make();
  }
  void TearDown() override {
    background_.reset();
    road_.reset();
    outer_.reset();
    link_->SendToAll(ListenCommand{});
    EXPECT_TRUE(platform().SetEndpoints({}).ok());
    std::filesystem::remove_all(state_dir());
    std::filesystem::create_directory(state_dir());
  }
  // With the settings as they are now.
  void Make() {
    road_.reset();
    link_ = std::make_unique<peer::MailboxLink>(platform().workers());
    outer_ = std::make_unique<OuterSide>(config_, platform(), *link_, *names_,
                                         lines_.log());
    road_.emplace(*link_, *outer_, platform().worker_lanes(), workers());
    road_->peers.PublishNow();
    inboxes_.resize(workers());
  }
  GatewayParts Parts() {
    return {config_, lines_.log(), *event_loop_, *names_,     platform(),
            *road_,  *outer_,      secrets_,     *background_};
  }

  static Platform& platform() { return *kStand->platform; }
  static uint32_t workers() {
    return static_cast<uint32_t>(platform().workers().size());
  }
  std::string state_dir() const { return config_.host.state_dir; }
  static uint64_t NowUs() { return MonotonicUs(); }

  // What the kernel, the names and the workers have to say, to all who listen;
  // `component` may be null.
  void Turn(loop::Component* component) {
    const uint64_t now_us = NowUs();
    const host::HostChanges changes = platform().monitor().Drain();
    if (!changes.empty()) {
      outer_->OnHostChanges(changes, now_us);
      if (component != nullptr) component->OnHostChanges(changes, now_us);
    }
    names_->OnReady();
    for (uint32_t worker = 0; worker < inboxes_.size(); ++worker) {
      Mailbox& mailbox = platform().workers()[worker]->mailbox();
      mailbox.Collect();
      peer::MailboxRings rings(mailbox);
      inboxes_[worker].Drain(rings, {worker}, *this);
    }
    outer_->OnTimer(now_us);
    if (component != nullptr) component->OnTimer(now_us);
    road_->peers.Publish(now_us);
  }
  // Whether `done` comes true within ten seconds.
  template <typename Done>
  bool Until(Done done, loop::Component* component = nullptr) {
    const uint64_t end_us = NowUs() + 10 * kSecond;
    while (!done()) {
      if (NowUs() > end_us) return false;
      pollfd changes{platform().monitor().fd(), POLLIN, 0};
      poll(&changes, 1, 1);
      Turn(component);
    }
    return true;
  }
  static bool Guards(const std::string& what) {
    return host::OutputOf("nft list ruleset").find(what) != std::string::npos;
  }

  std::map<std::string, IpAddress> hosts_;  // before the first look-up
  loop::LogLines lines_;
  config::Config config_;
  std::unique_ptr<host::Resolver> resolver_;
  std::optional<NameLookups> names_;
  std::unique_ptr<loop::EventLoop> event_loop_;
  Secrets secrets_;
  std::unique_ptr<loop::Background> background_;
  std::unique_ptr<peer::MailboxLink> link_;
  std::unique_ptr<OuterSide> outer_;
  std::optional<peer::WorkerRoad> road_;

 private:
  void OnEvent(WorkerIndex from, const Event& event) override {
    road_->owners.OnEvent(from, event, NowUs());
  }
  void OnStream(const PuntedStream& stream) override {
    road_->owners.OnStream(stream, NowUs());
  }
  void OnRecord(WorkerIndex from, const PuntedRecord& record) override {
    road_->owners.OnRecord(from, record, NowUs());
  }

  std::vector<peer::WorkerInbox> inboxes_;
};

}  // namespace lwt
