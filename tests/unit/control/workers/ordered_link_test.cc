#include "control/workers/ordered_link.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

constexpr FlowId kWaits = FlowId::Of(7, 1);
constexpr FlowId kGoesOn = FlowId::Of(8, 1);

// Counts what was sent, and says of which of it that it was carried out.
class CountingLink : public RecordingLink {
 public:
  using RecordingLink::Send;
  void Send(WorkerIndex worker, Command command) override {
    if (!published) ++before_publish;
    RecordingLink::Send(worker, std::move(command));
  }
  void Publish(std::unique_ptr<const Snapshot>) override { published = true; }
  CommandMark Mark() const override {
    CommandMark mark;
    mark.sent[0] = commands.size();
    return mark;
  }
  bool Passed(const CommandMark& mark) const override {
    return mark.sent[0] <= carried_out;
  }

  bool published = false;
  size_t before_publish = 0;
  size_t carried_out = 0;
};

class OrderedLinkTest : public testing::Test {
 protected:
  void Say(FlowId flow, uint8_t byte) {
    link_.Send(SendStreamCommand{flow, {byte}});
  }
  void Install(FlowId flow, LaneIndex lane) {
    InstallLaneCommand install;
    install.flow = flow;
    install.lane = lane;
    link_.Send(std::move(install));
  }
  // The kinds of what the workers were sent, in order.
  std::string Sent() const {
    std::string kinds;
    for (const Command& command : inner_.commands) {
      if (const auto* say = std::get_if<SendStreamCommand>(&command)) {
        kinds += static_cast<char>('0' + say->bytes[0]);
      } else if (std::holds_alternative<InstallLaneCommand>(command)) {
        kinds += 'I';
      } else if (std::holds_alternative<ProbeLaneCommand>(command)) {
        kinds += 'P';
      } else if (std::holds_alternative<RemoveLaneCommand>(command)) {
        kinds += 'R';
      } else if (std::holds_alternative<ConnectCommand>(command)) {
        kinds += 'C';
      }
    }
    return kinds;
  }

  CountingLink inner_;
  OrderedLink link_{inner_};
};

TEST_F(OrderedLinkTest, WithNothingHeldAllGoesOnAtOnce) {
  Say(kWaits, 1);
  Install(kWaits, {3});
  link_.Send({0}, ProbeLaneCommand{{3}, 1});
  EXPECT_EQ(Sent(), "1IP");
}

TEST_F(OrderedLinkTest, AFlowThatWaitsKeepsItsOrderAndOthersPassIt) {
  link_.Hold(kWaits);
  Install(kWaits, {3});
  Say(kWaits, 1);
  Say(kGoesOn, 2);
  link_.Send({0}, ProbeLaneCommand{{4}, 1});
  link_.Send({1}, ProbeLaneCommand{{3}, 1});  // another worker's lane
  link_.Send({0}, ProbeLaneCommand{{3}, 1});
  link_.Send({0}, RemoveLaneCommand{{3}});
  EXPECT_EQ(Sent(), "2PP");
  EXPECT_EQ(link_.held(), 4u);
  link_.Publish(nullptr);
  EXPECT_EQ(Sent(), "2PPI1PR");
  EXPECT_EQ(inner_.before_publish, 3u) << "the snapshot goes first";
  Say(kWaits, 3);
  link_.Send({0}, ProbeLaneCommand{{3}, 1});
  EXPECT_EQ(Sent(), "2PPI1PR3P") << "once only";
}

TEST_F(OrderedLinkTest, OneCommandMayWaitThatHasNoFlowYet) {
  link_.SendHeld({0}, ConnectCommand{});
  Say(kGoesOn, 1);
  link_.Publish(nullptr);
  EXPECT_EQ(Sent(), "1C");
}

TEST_F(OrderedLinkTest, WhatWaitsHasNotBeenCarriedOut) {
  link_.Hold(kWaits);
  Install(kWaits, {3});
  const CommandMark mark = link_.Mark();
  inner_.carried_out = 100;
  EXPECT_FALSE(link_.Passed(mark));
  inner_.carried_out = 0;
  link_.Publish(nullptr);
  EXPECT_FALSE(link_.Passed(mark)) << "sent, and not carried out yet";
  inner_.carried_out = 1;
  EXPECT_TRUE(link_.Passed(mark));
}

TEST_F(OrderedLinkTest, AMarkBeforeDoesNotWaitForWhatIsHeldLater) {
  Say(kGoesOn, 1);
  const CommandMark mark = link_.Mark();
  link_.Hold(kWaits);
  Install(kWaits, {3});
  inner_.carried_out = 1;
  EXPECT_TRUE(link_.Passed(mark));
}

}  // namespace
}  // namespace lwt::peer
