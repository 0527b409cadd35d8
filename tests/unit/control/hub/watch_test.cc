// How a hub finds out that a client is gone: within seconds where somebody
// sends to it, and without asking one to which nobody does.
#include <gtest/gtest.h>

#include <string>

#include "control/hub/hub_report.h"
#include "tests/unit/control/base/log_lines.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    EXPECT_TRUE(RunWorld(net_, hub_, {&client_}, 5 * kSecond,
                         [this] { return client_.up() && hub_.count() == 1; }));
  }
  telemetry::PeerStatus Status() const {
    telemetry::Status status;
    ReportClients(*hub_.sessions, net_.now_us, status);
    EXPECT_EQ(status.peers.size(), 1u);
    return status.peers.front();
  }
  // A packet for the client every 100 ms, while that is run or stands still;
  // after how long the hub says `state` of it.
  uint64_t SendUntil(std::string_view state, bool with_client) {
    const uint64_t began_us = net_.now_us;
    uint64_t next_us = began_us;
    std::vector<TestClient*> who;
    if (with_client) who.push_back(&client_);
    EXPECT_TRUE(RunWorld(net_, hub_, who, 100 * kSecond, [&] {
      if (net_.now_us >= next_us) {
        next_us = net_.now_us + kSecond / 10;
        hub_.worker.SendData(hub_.sessions->clients()[0].peer.value);
        net_.At(next_us, [] {});
      }
      return hub_.count() == 0 || Status().state == state;
    })) << state;
    return net_.now_us - began_us;
  }

  size_t Lines(std::string_view words) { return lines_.Count(words); }

  loop::LogLines lines_;
  FakeNet net_;
  TestHub hub_{net_, lines_.log()};
  TestClient client_{net_, hub_.worker, lines_.log(), "10.0.0.2/24"};
};

TEST_F(WatchTest, WhoIsSentToAndSaysNothingIsGoneWithinSeconds) {
  RunFor(net_, hub_, {&client_}, 30 * kSecond);
  net_.path_up = false;
  const uint64_t heard_us =
      hub_.sessions->clients()[0].session->LastActivity().heard_us;
  EXPECT_LE(SendUntil("suspect", false), 10 * kSecond);
  EXPECT_EQ(Status().reason, "it does not answer; it may come back");
  EXPECT_LE(SendUntil("down", false), 6 * kSecond);
  EXPECT_EQ(Status().reading.last_heard_s, (net_.now_us - heard_us) / kSecond);
  EXPECT_EQ(hub_.count(), 1u) << "its session stays for it";
}

TEST_F(WatchTest, OneInUseIsFoundSooner) {
  EXPECT_EQ(SendUntil("up", true), 0u);
  RunWorld(net_, hub_, {&client_}, kSecond, [] { return false; });
  hub_.worker.SendData(hub_.sessions->clients()[0].peer.value);
  net_.path_up = false;
  EXPECT_LE(SendUntil("suspect", false), 5 * kSecond);
}

TEST_F(WatchTest, WhoAnswersAgainIsUpAgain) {
  net_.path_up = false;
  SendUntil("down", false);
  EXPECT_EQ(Lines("does not answer"), 1u);
  net_.path_up = true;
  EXPECT_LE(SendUntil("up", true), 30 * kSecond);
  EXPECT_EQ(Status().reason, "");
  EXPECT_LE(Status().reading.last_heard_s, 1u);
  EXPECT_EQ(hub_.count(), 1u);
}

TEST_F(WatchTest, AnIdleOneIsAskedNothingAndStaysUp) {
  RunFor(net_, hub_, {&client_}, 10 * kSecond);
  int probes = 0;
  hub_.worker.on_send = [&](const Command& command) {
    if (std::holds_alternative<ProbeLaneCommand>(command)) ++probes;
  };
  RunFor(net_, hub_, {}, 60 * kSecond);  // the client says nothing either
  EXPECT_EQ(Status().state, "up");
  EXPECT_EQ(probes, 0);
}

TEST_F(WatchTest, OneThatAnswersIsAskedNoMoreThanItIsMeasured) {
  uint64_t probes = 0;
  hub_.worker.on_send = [&](const Command& command) {
    if (std::holds_alternative<ProbeLaneCommand>(command)) ++probes;
  };
  uint64_t next_us = net_.now_us;
  RunWorld(net_, hub_, {&client_}, 60 * kSecond, [&] {
    if (net_.now_us >= next_us) {
      next_us = net_.now_us + kSecond / 10;
      hub_.worker.SendData(hub_.sessions->clients()[0].peer.value);
      client_.worker.SendData();
      net_.At(next_us, [] {});
    }
    EXPECT_EQ(Status().state, "up");
    return false;
  });
  EXPECT_LE(probes, 60 * kSecond / Session::kMeasureUs + 1);
}

}  // namespace
}  // namespace lwt::peer
