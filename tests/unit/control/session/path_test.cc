// The inner MTU of a session follows what the lanes' flows find of the path, on
// both sides, and the tunnel device of a client; nobody else's does.
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

constexpr uint16_t kAgreed = 1400;  // what the test's clients offer
constexpr uint16_t kOverhead = 39;

class PathTest : public ::testing::Test {
 protected:
  void Connect(const std::vector<TestClient*>& clients) {
    ASSERT_TRUE(RunWorld(net_, hub_, clients, 5 * kSecond, [&] {
      return std::all_of(clients.begin(), clients.end(),
                         [](TestClient* client) { return client->up(); });
    }));
  }
  static LaneName LaneOf(const Session& session) {
    return session.lanes().front().name;
  }
  const Session& AtHub(size_t client = 0) {
    return *hub_.sessions->clients()[client].session;
  }
  static uint16_t Published(const FakeWorker& worker, uint32_t peer = 0) {
    return worker.published->peers[peer].inner_mtu;
  }
  void Run(uint64_t for_us = kSecond) {
    RunFor(net_, hub_, {&client_}, for_us);
  }

  loop::Log log_{loop::LogLevel::kError, STDERR_FILENO};
  FakeNet net_;
  TestHub hub_{net_, log_};
  TestClient client_{net_, hub_.worker, log_, "10.0.0.2/24"};
};

TEST_F(PathTest, BothSidesFollowWithinASecondDownAndUp) {
  Connect({&client_});
  ASSERT_EQ(Published(client_.worker), kAgreed);
  ASSERT_EQ(client_.host.mtu, kAgreed);
  const Session& session = *client_.session->session();
  for (const uint16_t mtu : {1189, 700, 1300, 1189, 1400}) {
    client_.worker.TakePath(LaneOf(session), mtu + kOverhead);
    Run();
    EXPECT_EQ(session.inner_mtu(), mtu);
    EXPECT_EQ(Published(client_.worker), mtu);
    EXPECT_EQ(client_.host.mtu, mtu) << "its device has this way only";
    EXPECT_EQ(AtHub().inner_mtu(), mtu) << "the hub was told";
    EXPECT_EQ(Published(hub_.worker), mtu);
  }
}

TEST_F(PathTest, EitherDirectionBoundsBoth) {
  Connect({&client_});
  const Session& session = *client_.session->session();
  client_.worker.TakePath(LaneOf(session), 1300 + kOverhead);
  hub_.worker.TakePath(LaneOf(AtHub()), 1100 + kOverhead);
  Run();
  EXPECT_EQ(session.inner_mtu(), 1100);
  EXPECT_EQ(AtHub().inner_mtu(), 1100);
  hub_.worker.TakePath(LaneOf(AtHub()), 1448);
  Run();
  EXPECT_EQ(session.inner_mtu(), 1300);
  EXPECT_EQ(AtHub().inner_mtu(), 1300);
}

// The kernel takes IPv6 off a device below 1280, for all.
TEST_F(PathTest, OneClientOnANarrowLineShrinksNobodyElses) {
  TestClient other(net_, hub_.worker, log_, "10.0.0.3/24");
  other.host.MoveTo(At("192.0.2.11:1").address);
  Connect({&client_, &other});
  const uint16_t device = hub_.host.mtu;
  hub_.worker.TakePath(LaneOf(AtHub(0)), 600);
  RunFor(net_, hub_, {&client_, &other}, kSecond);
  EXPECT_EQ(Published(hub_.worker, AtHub(0).peer().value), 576);
  EXPECT_EQ(Published(hub_.worker, AtHub(1).peer().value), kAgreed);
  EXPECT_EQ(hub_.host.mtu, device);
  const size_t narrow = client_.host.mtu == 576 ? 0 : 1;
  EXPECT_EQ((narrow == 0 ? client_ : other).host.mtu, 576);
  EXPECT_EQ((narrow == 0 ? other : client_).host.mtu, kAgreed);
}

TEST_F(PathTest, MoreThanWasAgreedOnIsNoNews) {
  Connect({&client_});
  client_.worker.TakePath(LaneOf(*client_.session->session()), 8948);
  Run();
  EXPECT_EQ(client_.session->session()->inner_mtu(), kAgreed);
  EXPECT_EQ(AtHub().inner_mtu(), kAgreed);
}

// An event that found its ring full is made up for.
TEST_F(PathTest, WhatNoEventToldOfIsSeenAllTheSame) {
  Connect({&client_});
  const LaneName lane = LaneOf(*client_.session->session());
  client_.worker.lanes.at(lane).reading.segment_payload = 1200 + kOverhead;
  Run(10 * kSecond);
  EXPECT_EQ(AtHub().inner_mtu(), 1200);
}

// A path that flaps costs four messages a second, not one each time.
TEST_F(PathTest, TellsNoMoreThanFourTimesASecond) {
  Connect({&client_});
  const LaneName lane = LaneOf(*client_.session->session());
  const uint64_t before = client_.worker.flows.begin()->second.sent;
  int records = 0;
  client_.worker.on_send = [&](const Command& command) {
    if (std::holds_alternative<SendRecordCommand>(command)) ++records;
  };
  for (int i = 0; i < 400; ++i) {
    client_.worker.TakePath(lane, i % 2 == 0 ? 1000 : 1100);
    Run(10'000);
  }
  Run();
  EXPECT_GT(client_.worker.flows.begin()->second.sent, before);
  EXPECT_LE(records, 4 * 4 + 4);
  EXPECT_EQ(AtHub().inner_mtu(), 1100 - kOverhead);
}

}  // namespace
}  // namespace lwt::peer
