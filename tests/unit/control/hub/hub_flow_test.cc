// What a stranger's flow may cost, wherever in the stream its bytes stand.
#include "control/hub/hub_flow.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/control/session/world.h"
#include "tests/unit/control/workers/recording_link.h"

namespace lwt::peer {
namespace {

class Door : public ProberDoor {
 public:
  bool Take(FlowId, const Endpoint&, std::span<const PuntedStream> pieces,
            uint64_t) override {
    taken.assign(pieces.begin(), pieces.end());
    return true;
  }
  std::vector<PuntedStream> taken;
};

class HubFlowTest : public testing::Test {
 protected:
  static constexpr uint32_t kBurst = handshake::DoorLimits::kFailures.burst;

  HubFlowTest() {
    handshake::HubConfig config;
    config.keys = &keys_;
    config.identity = &identity_;
    config.replay_capacity = 16;
    door_.emplace(config);
    context_.emplace(HubFlow::Context{link_, host_, *door_, limits_,
                                      remote_log_, nullptr, memory_});
  }
  void Open(HubFlow& flow, uint32_t number) {
    flow.Open(*context_,
              {.kind = EventKind::kFlowUp,
               .flow = FlowId::Of(number, 1),
               .local = At("192.0.2.1:9000"),
               .remote = At("198.51.100.9:5000")},
              kNow);
  }
  void Send(HubFlow& flow, uint64_t offset, size_t size, uint8_t fill = 0x16) {
    flow.OnStream({flow.flow(), offset, std::vector<uint8_t>(size, fill)},
                  kNow);
  }
  size_t alerts() const { return link_.Sent<SendStreamCommand>().size(); }
  size_t closed() const { return link_.Sent<CloseFlowCommand>().size(); }

  static constexpr uint64_t kNow = kSecond;
  handshake::SecretKey psk_ = TestPsk(1);
  handshake::KeyRing keys_{psk_};
  handshake::StaticKey identity_ = handshake::GenerateStaticKey();
  FakeNet net_;
  FakeHost host_{net_, At("192.0.2.1:1").address};
  handshake::DoorLimits limits_;
  loop::Log log_{loop::LogLevel::kError};
  loop::RemoteLog remote_log_{log_};
  StreamMemory memory_{1 << 20};
  std::optional<handshake::HubDoor> door_;
  RecordingLink link_;
  std::optional<HubFlow::Context> context_;
};

TEST_F(HubFlowTest, WhatIsNoHelloMeetsAnAlert) {
  HubFlow flow;
  Open(flow, 1);
  Send(flow, 0, 100, 'G');
  EXPECT_EQ(flow.state(), HubFlow::State::kOver);
  EXPECT_EQ(alerts(), 1u);
  EXPECT_EQ(closed(), 1u);
}

// Leaving the first byte out is not a way past the limit.
TEST_F(HubFlowTest, AFlowWithAHoleAtTheFrontIsCharged) {
  std::vector<HubFlow> flows(2 * kBurst);
  for (uint32_t i = 0; i < flows.size(); ++i) {
    Open(flows[i], i + 1);
    Send(flows[i], 1, 1000);
    // Those that the network may begin wait for the front as any server does.
    EXPECT_EQ(flows[i].state(),
              i < kBurst ? HubFlow::State::kHello : HubFlow::State::kOver);
  }
  EXPECT_EQ(alerts(), flows.size() - kBurst);
}

TEST_F(HubFlowTest, BytesBehindAHoleAreKeptToALimit) {
  HubFlow flow;
  Open(flow, 1);
  for (uint64_t at = 1; at < 15'000; at += 1000) Send(flow, at, 1000);
  EXPECT_EQ(flow.state(), HubFlow::State::kHello);
  EXPECT_LE(memory_.used(), HubFlow::kHelloBytes);
  for (uint64_t at = 15'001; at < 65'000; at += 1000) Send(flow, at, 1000);
  EXPECT_EQ(flow.state(), HubFlow::State::kOver);
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(HubFlowTest, SilenceAndAHoleEndTheSameWay) {
  for (const bool says_something : {false, true}) {
    HubFlow flow;
    Open(flow, 1);
    if (says_something) Send(flow, 1, 100);
    link_.commands.clear();
    flow.GiveUp(kNow + HubFlow::kTimeoutUs);
    EXPECT_EQ(flow.state(), HubFlow::State::kOver);
    EXPECT_EQ(alerts(), 0u);
    EXPECT_EQ(closed(), 1u);
    EXPECT_EQ(memory_.used(), 0u);
  }
}

TEST_F(HubFlowTest, AHelloThatNeverEndsIsNone) {
  HubFlow flow;
  Open(flow, 1);
  const uint8_t begun[] = {0x16, 3, 1, 4, 0, 1};
  for (uint64_t at = 0; at < HubFlow::kHelloLooks; ++at) {
    EXPECT_EQ(flow.state(), HubFlow::State::kHello);
    flow.OnStream({flow.flow(), at, {begun[at]}}, kNow);
  }
  EXPECT_EQ(flow.state(), HubFlow::State::kOver);
}

// The site behind the door gets all that came, also what was not kept.
TEST_F(HubFlowTest, AProbersBytesAllReachTheDoor) {
  Door door;
  context_.emplace(HubFlow::Context{link_, host_, *door_, limits_, remote_log_,
                                    &door, memory_});
  HubFlow flow;
  Open(flow, 1);
  Send(flow, 1000, 500, 'x');
  Send(flow, 0, 40'000, 'G');
  EXPECT_EQ(flow.state(), HubFlow::State::kTaken);
  uint64_t end = 0;
  for (const PuntedStream& piece : door.taken) {
    EXPECT_LE(piece.stream_offset, end);
    end = std::max(end, piece.end());
  }
  EXPECT_EQ(end, 40'000u);
  EXPECT_TRUE(link_.commands.empty());
}

}  // namespace
}  // namespace lwt::peer
