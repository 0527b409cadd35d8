// Name servers by the helper: one order at a time, and what is said of it.
#include "control/name_keeper.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/host/instance/fake_resolvers.h"
#include "tests/unit/control/host/instance/helper_process.h"

namespace lwt {
namespace {

handshake::DnsMessage Names(const char* server) {
  return {.servers = {*ParseIpAddress(server)}};
}

class NameKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = *loop::EventLoop::Create();
    Start();
  }
  void Start() {
    keeper_.reset();
    process_.reset();
    process_.emplace(host_);
    Make(process_->get());
  }
  void Make(host::NameHelper* helper) {
    keeper_.reset();
    keeper_ = std::make_unique<NameKeeper>(helper, "lwt0", host_.path(), *loop_,
                                           lines_.log());
  }
  bool Says(const std::string& state) {
    for (int turn = 0; turn < 200 && keeper_->state() != state; ++turn) {
      loop_->Turn(100'000);
      now_us_ += NameKeeper::kGapUs;
      keeper_->OnTimer(now_us_);
    }
    return keeper_->state() == state;
  }

  const host::FakeResolvers host_;
  uint64_t now_us_ = 0;
  loop::LogLines lines_;
  std::unique_ptr<loop::EventLoop> loop_;
  std::optional<host::HelperProcess> process_;
  std::unique_ptr<NameKeeper> keeper_;
};

TEST_F(NameKeeperTest, TheNewestOrderCounts) {
  host_.AddResolvconf();
  keeper_->Set(Names("10.0.0.1"), now_us_);
  for (const char* server : {"10.0.0.2", "10.0.0.3", "10.0.0.4"}) {
    keeper_->Set(Names(server), now_us_);
  }
  EXPECT_TRUE(Says("names are asked of 10.0.0.4, by resolvconf"))
      << keeper_->state();
  EXPECT_EQ(host_.Read("record.lwt0"), "nameserver 10.0.0.4\n");
  EXPECT_EQ(host_.Read("calls").find("10.0.0"), std::string::npos);
  EXPECT_EQ(lines_.Count("names are asked of 10.0.0.2"), 0u);
  keeper_->Set({}, now_us_);
  EXPECT_TRUE(Says("names are looked up as without the tunnel"));
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

// Each starts programs, which is more than a hub is to cause.
TEST_F(NameKeeperTest, AHubThatChangesItsMindHasOneOrderASecond) {
  host_.AddResolvconf();
  keeper_->Set(Names("10.0.0.9"), now_us_);
  ASSERT_TRUE(Says("names are asked of 10.0.0.9, by resolvconf"));
  const uint64_t begin_us = now_us_;
  for (int i = 0; i < 1000; ++i) {
    const auto names = Names(i % 2 == 0 ? "10.0.0.1" : "10.0.0.2");
    now_us_ = begin_us + static_cast<uint64_t>(i) * 3000;
    keeper_->Set(names, now_us_);
    while (keeper_->NextDeadline() == UINT64_MAX && loop_->Turn(20'000) > 0) {
    }
    keeper_->OnTimer(now_us_);
  }
  const std::string calls = host_.Read("calls");
  EXPECT_LE(std::count(calls.begin(), calls.end(), '\n'), 1 + 4);
  EXPECT_TRUE(Says("names are asked of 10.0.0.2, by resolvconf"))
      << keeper_->state();
}

TEST_F(NameKeeperTest, ItsEndTakesAllBackBeforeItReturns) {
  host_.AddResolvconf();
  keeper_->Set(Names("10.0.0.1"), now_us_);
  ASSERT_TRUE(Says("names are asked of 10.0.0.1, by resolvconf"));
  keeper_.reset();
  EXPECT_FALSE(host_.Has("record.lwt0"));
}

TEST_F(NameKeeperTest, WhatIsToBeDoneByHandIsAWarning) {
  host_.Nobody();
  keeper_->Set({}, now_us_);
  Start();  // with that PATH
  keeper_->Set(Names("10.0.0.1"), now_us_);
  EXPECT_TRUE(Says(
      "neither systemd-resolved nor resolvconf manages the names of this host; "
      "put this into /etc/resolv.conf: nameserver 10.0.0.1"))
      << keeper_->state();
  EXPECT_EQ(lines_.Count("warn"), 1u);
}

TEST_F(NameKeeperTest, WithoutAHelperItIsSaid) {
  const std::string gone =
      "the process that sets name servers is not there: a restart starts it";
  kill(process_->pid(), SIGKILL);
  EXPECT_TRUE(Says(gone));
  keeper_->Set(Names("10.0.0.1"), now_us_);
  EXPECT_EQ(keeper_->state(), gone);
  Make(nullptr);
  EXPECT_EQ(keeper_->state(), "") << "of what is not wanted nothing is said";
  keeper_->Set(Names("10.0.0.1"), now_us_);
  EXPECT_EQ(keeper_->state(), gone);
}

}  // namespace
}  // namespace lwt
