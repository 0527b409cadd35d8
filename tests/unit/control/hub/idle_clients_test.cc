// What a hub's clients cost by the clock: nothing where nothing is due.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

constexpr uint32_t kCrowd = 40;

class IdleClientsTest : public testing::Test {
 protected:
  IdleClientsTest() : hub_(net_, log_, true, kCrowd) {
    for (uint32_t i = 0; i < kCrowd; ++i) {
      const std::string address = "10.0.0." + std::to_string(2 + i) + "/24";
      clients_.push_back(std::make_unique<TestClient>(net_, hub_.worker, log_,
                                                      address.c_str()));
      all_.push_back(clients_.back().get());
    }
    EXPECT_TRUE(RunWorld(net_, hub_, all_, 20 * kSecond,
                         [&] { return hub_.count() == kCrowd; }));
    RunFor(net_, hub_, all_, 20 * kSecond);
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_;
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::vector<TestClient*> all_;
};

TEST_F(IdleClientsTest, ATurnWithNothingDueTouchesNone) {
  const uint64_t next = hub_.sessions->NextDeadline();
  ASSERT_GT(next, net_.now_us + 1);
  const uint64_t before = hub_.sessions->visits();
  for (uint64_t now = net_.now_us; now < next; now += (next - now + 9) / 10) {
    hub_.sessions->OnTimer(now);
  }
  EXPECT_EQ(hub_.sessions->visits(), before);
  // What others bring is not a look at all either.
  Event stray;
  stray.kind = EventKind::kFlowDown;
  stray.flow = FlowId::Of(60'000, 9);
  hub_.road->owners.OnEvent({0}, stray, net_.now_us);
  hub_.sessions->OnTimer(net_.now_us);
  EXPECT_EQ(hub_.sessions->visits(), before);
}

TEST_F(IdleClientsTest, AnIdleClientIsLookedAtEveryFewSeconds) {
  const uint64_t before = hub_.sessions->visits();
  constexpr uint64_t kFor = 60 * kSecond;
  RunFor(net_, hub_, all_, kFor);
  const uint64_t visits = hub_.sessions->visits() - before;
  const uint64_t looks = kFor / HubSessions::kIdleLookUs;
  EXPECT_GE(visits, kCrowd * (looks - 1));
  EXPECT_LE(visits, kCrowd * (looks + 2)) << "two re-keyings at most";
}

TEST_F(IdleClientsTest, OneInUseIsMeasuredAsOftenAsEver) {
  const FlowId flow = hub_.sessions->clients()[0].session->lanes().front().flow;
  int probes = 0;
  hub_.worker.on_send = [&](const Command& command) {
    if (std::holds_alternative<ProbeLaneCommand>(command)) ++probes;
  };
  const uint32_t peer = hub_.sessions->clients()[0].peer.value;
  uint64_t next = net_.now_us;
  RunWorld(net_, hub_, all_, 60 * kSecond, [&] {
    if (net_.now_us >= next) {
      next = net_.now_us + kSecond / 10;
      hub_.worker.SendData(peer);
      net_.At(next, [] {});
    }
    return false;
  });
  EXPECT_NE(flow, kNullFlow);
  EXPECT_GE(probes, 11);
  EXPECT_LE(probes, 42) << "one in five seconds, and two more where nothing "
                           "else comes from it, of one client";
}

// The same as when all were looked at each time.
TEST_F(IdleClientsTest, ASilentClientIsDroppedAtItsTime) {
  uint64_t heard = 0;
  for (const auto& [name, lane] : hub_.worker.lanes) {
    heard = std::max(heard, lane.reading.last_rx_us);
  }
  net_.path_up = false;
  std::vector<TestClient*> nobody;
  while (hub_.count() > 0) {
    ASSERT_LT(net_.now_us, heard + 100 * kSecond);
    RunFor(net_, hub_, nobody, 10'000);
    for (const auto& client : hub_.sessions->clients()) {
      if (!client.session) continue;
      const uint64_t last = client.session->LastActivity().heard_us;
      ASSERT_LE(net_.now_us,
                last + HubSessions::kIdleUs + HubSessions::kSweepUs + 20'000);
    }
  }
  EXPECT_GT(net_.now_us, heard + HubSessions::kIdleUs);
}

}  // namespace
}  // namespace lwt::peer
