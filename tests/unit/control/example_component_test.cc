// The worked example of docs/CONTRIBUTING.md, "A component": a door that says
// back to a stranger what it says, for a second. It touches no file but its
// own; a gateway would name it in one line of Gateway::StartComponents.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "control/api/request.h"
#include "control/host/net/netlink_types.h"
#include "control/loop/components.h"
#include "control/session/worker_road.h"
#include "control/telemetry/status.h"
#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt {
namespace {

#define LWT_ECHO_METRICS(X) \
  X(flows, kGauge, kNumber, "Strangers who are answered.")
LWT_READING(EchoReading, LWT_ECHO_METRICS);

class EchoDoor final : public loop::Component, public peer::FlowOwner {
 public:
  static constexpr uint64_t kPatienceUs = 1'000'000;

  explicit EchoDoor(peer::WorkerRoad& road) : road_(road) {
    road_.owners.SetAcceptor(this);
  }
  ~EchoDoor() override {
    road_.owners.SetAcceptor(nullptr);
    while (!until_.empty()) Let(FlowId{until_.begin()->first});
  }

  // loop::Component
  uint64_t NextDeadline() const override {
    return until_.empty() ? kNever : until_.begin()->second;
  }
  void OnTimer(uint64_t now_us) override {
    while (NextDeadline() <= now_us) Let(FlowId{until_.begin()->first});
  }
  void Report(telemetry::Status& status, uint64_t) const override {
    status.counters.push_back({"echo", EchoReading{until_.size()}.All()});
  }
  size_t Close(std::string_view, uint64_t) override {
    const size_t flows = until_.size();
    while (!until_.empty()) Let(FlowId{until_.begin()->first});
    return flows;
  }

  // peer::FlowOwner
  void OnEvent(const Event& event, uint64_t now_us) override {
    if (event.kind == EventKind::kFlowUp) {
      road_.owners.OwnFlow(event.flow, *this);
      until_[event.flow.value] = now_us + kPatienceUs;
    } else if (event.kind == EventKind::kFlowDown) {
      Let(event.flow);
    }
  }
  void OnStream(const PuntedStream& stream, uint64_t) override {
    road_.link.Send(SendStreamCommand{stream.flow, stream.bytes});
  }

 private:
  void Let(FlowId flow) {
    if (until_.erase(flow.value) == 0) return;
    road_.owners.ForgetFlow(flow, *this);
    road_.link.Send(CloseFlowCommand{flow});
  }

  peer::WorkerRoad& road_;
  std::map<uint64_t, uint64_t> until_;  // by flow; all have the same patience
};

class ExampleComponentTest : public testing::Test {
 protected:
  void Report(EventKind kind, FlowId flow, uint64_t now_us) {
    Event event;
    event.kind = kind;
    event.flow = flow;
    road_.owners.OnEvent({0}, event, now_us);
  }
  uint64_t Reported() const {
    telemetry::Status status;
    components_.Report(status, 0);
    return status.counters.empty() ? 0
                                   : status.counters.back().readings.values[0];
  }

  peer::FakeNet net_;
  peer::FakeHost host_{net_, peer::At("192.0.2.1:1").address};
  peer::RecordingLink link_;
  peer::WorkerRoad road_{link_, host_, 4, 1};
  loop::Components components_;
};

constexpr FlowId kStranger = FlowId::Of(3, 1);
constexpr FlowId kOther = FlowId::Of(4, 1);

TEST_F(ExampleComponentTest, HasItsTurnWithoutAnybodyKnowingWhatItIs) {
  EXPECT_EQ(components_.NextDeadline(), loop::Component::kNever);
  components_.Keep(std::make_unique<EchoDoor>(road_));
  Report(EventKind::kFlowUp, kStranger, 10);
  Report(EventKind::kFlowUp, kOther, 20);
  EXPECT_EQ(components_.NextDeadline(), 10 + EchoDoor::kPatienceUs);
  EXPECT_EQ(Reported(), 2u);
  road_.owners.OnStream({kStranger, 0, {1, 2, 3}}, 30);
  const auto said = link_.Sent<SendStreamCommand>();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].bytes, (std::vector<uint8_t>{1, 2, 3}));
  components_.OnTimer(9 + EchoDoor::kPatienceUs);
  EXPECT_EQ(Reported(), 2u);
  components_.OnTimer(10 + EchoDoor::kPatienceUs);
  EXPECT_EQ(Reported(), 1u);
  EXPECT_EQ(link_.Sent<CloseFlowCommand>()[0].flow, kStranger);
}

TEST_F(ExampleComponentTest, SaysGoodbyeAndLeavesNothing) {
  components_.Keep(std::make_unique<EchoDoor>(road_));
  Report(EventKind::kFlowUp, kStranger, 10);
  EXPECT_EQ(components_.Close("the gateway stops", 20), 1u);
  EXPECT_EQ(road_.owners.flows(), 0u);
  components_.Clear();
  Report(EventKind::kFlowUp, kOther, 30);
  EXPECT_EQ(link_.Sent<ReleaseFlowCommand>().size(), 1u) << "nobody listens";
}

// What a component leaves as it is does nothing.
TEST_F(ExampleComponentTest, WhatItHasNoUseForDoesNothing) {
  components_.Keep(std::make_unique<EchoDoor>(road_));
  components_.OnHostChanges(host::HostChanges{.everything = true}, 1);
  components_.OnResumed(1);
  EXPECT_EQ(components_.Answer(api::Request{}, 1), std::nullopt);
  EXPECT_TRUE(link_.commands.empty());
}

// Writes down who was asked, and in which order it went.
class NamedComponent final : public loop::Component {
 public:
  NamedComponent(char name, std::string& notes) : name_(name), notes_(notes) {}
  ~NamedComponent() override { notes_ += {'~', name_}; }
  void OnTimer(uint64_t) override { notes_ += name_; }
  uint64_t NextDeadline() const override { return uint64_t(name_); }
  std::optional<std::string> Answer(const api::Request& request,
                                    uint64_t) override {
    if (request.kind != api::RequestKind::kPeerBanned) return std::nullopt;
    return std::string(1, name_);
  }
  size_t Close(std::string_view, uint64_t) override { return 2; }

 private:
  const char name_;
  std::string& notes_;
};

TEST(ComponentsTest, TurnsGoUpwardsAndTheEndDownwards) {
  std::string notes;
  NamedComponent elsewhere('c', notes);
  {
    loop::Components components;
    components.Keep(std::make_unique<NamedComponent>('b', notes));
    components.Add(elsewhere);
    components.Keep(std::make_unique<NamedComponent>('a', notes));
    components.OnTimer(1);
    EXPECT_EQ(components.NextDeadline(), uint64_t{'a'});
    EXPECT_EQ(components.Close("", 1), 6u);
    api::Request request;
    EXPECT_EQ(components.Answer(request, 1), std::nullopt);
    request.kind = api::RequestKind::kPeerBanned;
    EXPECT_EQ(components.Answer(request, 1), "b") << "the first whose it is";
  }
  EXPECT_EQ(notes, "bca~a~b");
}

}  // namespace
}  // namespace lwt
