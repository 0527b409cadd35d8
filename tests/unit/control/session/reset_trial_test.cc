// What a hub makes of a RST on a client's flow.
#include "control/session/reset_trial.h"

#include <gtest/gtest.h>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

using Step = ResetTrial::Step;

constexpr uint64_t kStartUs = 100 * kSecond;
constexpr uint64_t kShortRtoUs = 220'000;

TEST(ResetTrialTest, ThreeProbesThenItIsOver) {
  ResetTrial trial;
  EXPECT_EQ(trial.due_us(), UINT64_MAX);
  trial.Begin(kShortRtoUs, kStartUs);
  uint64_t now_us = kStartUs;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(trial.Tick(kStartUs - 1, now_us), Step::kProbe);
    EXPECT_EQ(trial.Tick(kStartUs - 1, now_us), Step::kNone);
    now_us = trial.due_us();
  }
  EXPECT_EQ(trial.Tick(kStartUs - 1, now_us), Step::kOver);
  EXPECT_GE(now_us, kStartUs + ResetTrial::kLeastUs);
  EXPECT_LE(now_us, kStartUs + ResetTrial::kLeastUs + kSecond / 10);
}

TEST(ResetTrialTest, ALongWayHasMoreTime) {
  ResetTrial trial;
  trial.Begin(5 * kSecond, kStartUs);
  uint64_t now_us = kStartUs;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(trial.Tick(0, now_us), Step::kProbe);
    now_us = trial.due_us();
  }
  EXPECT_EQ(now_us, kStartUs + 15 * kSecond);
}

TEST(ResetTrialTest, ARecordEndsIt) {
  ResetTrial trial;
  trial.Begin(kShortRtoUs, kStartUs);
  EXPECT_EQ(trial.Tick(kStartUs, kStartUs), Step::kProbe)
      << "one that came before says nothing";
  EXPECT_EQ(trial.Tick(kStartUs + 1, trial.due_us()), Step::kNone);
  EXPECT_EQ(trial.due_us(), UINT64_MAX);
}

TEST(ResetTrialTest, OneInTenSecondsHoweverManyCome) {
  ResetTrial trial;
  int probes = 0;
  for (uint64_t us = 0; us < 60 * kSecond; us += kSecond / 100) {
    trial.Begin(kShortRtoUs, kStartUs + us);
    probes += trial.Tick(kStartUs + us - 1, kStartUs + us) == Step::kProbe;
  }
  EXPECT_LE(probes, 6 * 3);
}

class ResetTest : public testing::Test {
 protected:
  ResetTest() {
    EXPECT_TRUE(Until(kSecond, [&] { return client_.session->session(); }));
    Run(20 * kSecond);
  }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, hub_, {&client_}, for_us, done);
  }
  void Run(uint64_t for_us) { RunFor(net_, hub_, {&client_}, for_us); }

  const Session& session() { return *hub_.sessions->clients()[0].session; }
  void Reset(FlowHint hint = FlowHint::kReset) {
    Event reset;
    reset.kind = EventKind::kResetHint;
    reset.detail = static_cast<uint8_t>(hint);
    reset.value = kShortRtoUs;
    reset.flow = session().lanes()[0].flow;
    hub_.worker.events.push_back(reset);
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_, true, 4};
  TestClient client_{net_, hub_.worker, log_, "10.0.0.2/24", 1};
};

TEST_F(ResetTest, TheFlowOfASilentClientIsFreedAndTheSessionStays) {
  const uint64_t id = session().secrets().session_id;
  net_.path_up = false;
  Reset();
  Run(ResetTrial::kLeastUs - kSecond / 10);
  EXPECT_EQ(session().lanes().size(), 1u);
  Run(kSecond / 5);
  EXPECT_EQ(session().lanes().size(), 0u);
  EXPECT_TRUE(hub_.worker.flows.empty());
  // It comes back by another flow of the same session.
  net_.path_up = true;
  EXPECT_TRUE(Until(40 * kSecond, [&] { return !session().lanes().empty(); }));
  EXPECT_EQ(session().secrets().session_id, id);
}

TEST_F(ResetTest, WhoAnswersKeepsItsFlow) {
  const FlowId flow = session().lanes()[0].flow;
  int probes = 0;
  hub_.worker.on_send = [&](const Command& command) {
    probes += std::holds_alternative<ProbeLaneCommand>(command);
  };
  for (int i = 0; i < 100; ++i) {
    Reset();
    Run(kSecond / 10);
  }
  EXPECT_LE(probes, 3);
  Run(5 * kSecond);
  ASSERT_EQ(session().lanes().size(), 1u);
  EXPECT_EQ(session().lanes()[0].flow, flow);
}

// A flow outlives a line that is down for a while, as a kernel's does.
TEST_F(ResetTest, SilenceAloneIsNoTrial) {
  net_.path_up = false;
  Reset(FlowHint::kUnanswered);
  Run(5 * kSecond);
  EXPECT_EQ(session().lanes().size(), 1u);
}

}  // namespace
}  // namespace lwt::peer
