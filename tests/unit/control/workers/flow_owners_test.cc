#include "control/workers/flow_owners.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

constexpr FlowId kOwnedFlow = FlowId::Of(7, 1, {2});
constexpr LaneName kOwnedLane{{2}, {5}};

// Writes down what it gets.
class WritingOwner : public FlowOwner {
 public:
  void OnEvent(const Event& event, uint64_t) override {
    events.push_back(event.kind);
  }
  void OnStream(const PuntedStream&, uint64_t) override { ++streams; }
  void OnLaneEvent(LaneName lane, const Event& event, uint64_t) override {
    EXPECT_EQ(lane, kOwnedLane);
    events.push_back(event.kind);
  }
  void OnRecord(LaneName, const PuntedRecord&, uint64_t) override { ++records; }

  std::vector<EventKind> events;
  int streams = 0;
  int records = 0;
};

class FlowOwnersTest : public testing::Test {
 protected:
  void Report(EventKind kind, FlowId flow, uint32_t token = 0,
              LaneName lane = LaneName::kNone) {
    Event event;
    event.kind = kind;
    event.flow = flow;
    event.token = token;
    event.lane = lane.index;
    owners_.OnEvent(lane.worker, event, 1);
  }

  RecordingLink link_;
  FlowOwners owners_{link_};
  WritingOwner one_;
  WritingOwner other_;
};

TEST_F(FlowOwnersTest, TheAnswerToATokenIsItsOwners) {
  const uint32_t token = owners_.NewToken(one_);
  const uint32_t next = owners_.NewToken(other_);
  EXPECT_NE(token, 0u);
  EXPECT_NE(token, next);
  Report(EventKind::kFlowUp, kOwnedFlow, token);
  Report(EventKind::kFlowDown, kNullFlow, next);
  EXPECT_EQ(one_.events, std::vector{EventKind::kFlowUp});
  EXPECT_EQ(other_.events, std::vector{EventKind::kFlowDown});
  EXPECT_TRUE(link_.commands.empty());
}

TEST_F(FlowOwnersTest, AFlowThatNobodyAsksForAnyMoreIsLetGo) {
  const uint32_t token = owners_.NewToken(one_);
  owners_.ForgetToken(token);
  Report(EventKind::kFlowUp, kOwnedFlow, token);
  EXPECT_TRUE(one_.events.empty());
  const auto released = link_.Sent<ReleaseFlowCommand>();
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(released[0].flow, kOwnedFlow);
}

TEST_F(FlowOwnersTest, WhatArrivesIsTheAcceptors) {
  Report(EventKind::kFlowUp, kOwnedFlow);
  EXPECT_EQ(link_.Sent<ReleaseFlowCommand>().size(), 1u) << "nobody's";
  owners_.SetAcceptor(&one_);
  Report(EventKind::kFlowUp, kOwnedFlow);
  EXPECT_EQ(one_.events, std::vector{EventKind::kFlowUp});
  // An acceptor does not take what others asked for.
  Report(EventKind::kFlowUp, kOwnedFlow, 77);
  EXPECT_EQ(one_.events.size(), 1u);
  EXPECT_EQ(link_.Sent<ReleaseFlowCommand>().size(), 2u);
}

TEST_F(FlowOwnersTest, AFlowsEventsAndBytesAreItsOwners) {
  owners_.SetAcceptor(&other_);
  owners_.OwnFlow(kOwnedFlow, one_);
  const std::vector<EventKind> kinds = {
      EventKind::kResetHint, EventKind::kStreamRoom, EventKind::kStreamEnded,
      EventKind::kFlowDown};
  for (const EventKind kind : kinds) Report(kind, kOwnedFlow);
  owners_.OnStream({kOwnedFlow, 0, {1}}, 1);
  EXPECT_EQ(one_.events, kinds);
  EXPECT_EQ(one_.streams, 1);
  EXPECT_TRUE(other_.events.empty());
}

TEST_F(FlowOwnersTest, ALanesEventsAndRecordsAreItsOwners) {
  owners_.OwnLane(kOwnedLane, one_);
  const std::vector<EventKind> kinds = {
      EventKind::kEpochDue, EventKind::kEpochSpent, EventKind::kReportAnswer,
      EventKind::kUnknownKind};
  // The token of a report's answer is that of a probe, not of a flow.
  const uint32_t token = owners_.NewToken(other_);
  for (const EventKind kind : kinds) Report(kind, kNullFlow, token, kOwnedLane);
  owners_.OnRecord(kOwnedLane.worker, {kOwnedLane.index, 1, {1}}, 1);
  EXPECT_EQ(one_.events, kinds);
  EXPECT_EQ(one_.records, 1);
  EXPECT_TRUE(other_.events.empty());
}

TEST_F(FlowOwnersTest, WhatHasEndedIsNobodys) {
  owners_.OwnFlow(kOwnedFlow, one_);
  owners_.OwnLane(kOwnedLane, one_);
  owners_.ForgetFlow(kOwnedFlow, one_);
  owners_.ForgetLane(kOwnedLane);
  Report(EventKind::kFlowDown, kOwnedFlow);
  Report(EventKind::kEpochDue, kNullFlow, 0, kOwnedLane);
  owners_.OnStream({kOwnedFlow, 0, {1}}, 1);
  owners_.OnRecord(kOwnedLane.worker, {kOwnedLane.index, 1, {1}}, 1);
  EXPECT_TRUE(one_.events.empty());
  EXPECT_EQ(one_.streams + one_.records, 0);
  EXPECT_TRUE(link_.commands.empty());
  EXPECT_EQ(owners_.flows() + owners_.lanes(), 0u);
}

// Every worker has a lane of that index.
TEST_F(FlowOwnersTest, ALaneOfAnotherWorkerIsAnother) {
  owners_.OwnLane(kOwnedLane, one_);
  const LaneName elsewhere{{1}, kOwnedLane.index};
  Report(EventKind::kEpochDue, kNullFlow, 0, elsewhere);
  owners_.OnRecord(elsewhere.worker, {elsewhere.index, 1, {1}}, 1);
  EXPECT_TRUE(one_.events.empty());
  EXPECT_EQ(one_.records, 0);
}

// A flow's name is not that of the next one in its place.
TEST_F(FlowOwnersTest, TheNextFlowInAPlaceIsAnother) {
  owners_.OwnFlow(kOwnedFlow, one_);
  Report(EventKind::kFlowDown, FlowId::Of(7, 2, {2}));
  Report(EventKind::kFlowDown, FlowId::Of(7, 1, {1}));
  EXPECT_TRUE(one_.events.empty());
}

TEST_F(FlowOwnersTest, WhoHandedAFlowOnForgetsNothing) {
  owners_.OwnFlow(kOwnedFlow, one_);
  owners_.OwnFlow(kOwnedFlow, other_);
  owners_.ForgetFlow(kOwnedFlow, one_);
  Report(EventKind::kFlowDown, kOwnedFlow);
  EXPECT_TRUE(one_.events.empty());
  EXPECT_EQ(other_.events.size(), 1u);
}

TEST_F(FlowOwnersTest, HostsOfTheLanAreAskedOfTheLan) {
  Report(EventKind::kNoNeighbour, kNullFlow);
  owners_.SetLan(&one_);
  Report(EventKind::kNoNeighbour, kNullFlow);
  EXPECT_EQ(one_.events, std::vector{EventKind::kNoNeighbour});
}

// A client and a hub leave nothing behind them, whatever they went through.
TEST(FlowOwnersWorldTest, NothingIsOwnedByWhoIsGone) {
  loop::Log log{loop::LogLevel::kError};
  FakeNet net;
  TestHub hub(net, log, true, 4, 2);
  TestClient client(net, hub.worker, log, "10.0.0.2/24", 1, 1 << 20, 2);
  TestClient stranger(net, hub.worker, log, "10.0.0.3/24", 2);
  ASSERT_TRUE(RunWorld(net, hub, {&client, &stranger}, 2 * kSecond, [&] {
    return client.up() && client.session->session()->lanes().size() == 2;
  }));
  RunFor(net, hub, {&client, &stranger}, 2 * kSecond);
  EXPECT_EQ(client.road.owners.lanes(), 2u);
  EXPECT_EQ(hub.road->owners.lanes(), 2u);
  EXPECT_GE(hub.road->owners.flows(), 2u);
  hub.sessions.reset();
  client.session.reset();
  stranger.session.reset();
  for (const FlowOwners* owners :
       {&hub.road->owners, &client.road.owners, &stranger.road.owners}) {
    EXPECT_EQ(owners->tokens(), 0u);
    EXPECT_EQ(owners->flows(), 0u);
    EXPECT_EQ(owners->lanes(), 0u);
  }
}

// Two that ask for flows on one road, as a client of several hubs would.
TEST(FlowOwnersWorldTest, OneClientDoesNotTouchAnothersFlows) {
  loop::Log log{loop::LogLevel::kError};
  FakeNet net;
  TestHub hub(net, log);
  TestClient client(net, hub.worker, log, "10.0.0.2/24");
  WritingOwner other;
  const uint32_t token = client.road.owners.NewToken(other);
  Event up;
  up.kind = EventKind::kFlowUp;
  up.token = token;
  up.flow = FlowId::Of(900, 9);
  client.worker.events.push_back(up);
  ASSERT_TRUE(
      RunWorld(net, hub, {&client}, kSecond, [&] { return client.up(); }));
  EXPECT_EQ(other.events, std::vector{EventKind::kFlowUp});
}

}  // namespace
}  // namespace lwt::peer
