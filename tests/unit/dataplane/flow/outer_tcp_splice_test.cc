// A flow that a relay reads and writes, against a peer with ordinary TCP.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

using EventType = OuterTcp::EventType;

class SpliceTest : public testing::Test {
 protected:
  void SetUp() override {
    rig_.prove_hub = false;
    ASSERT_TRUE(rig_.Open());
    ASSERT_TRUE(rig_.hub.tcp->Splice(rig_.hub.flow));
  }
  bool HubSaw(EventType type) const {
    const auto& events = rig_.hub.events;
    return std::find(events.begin(), events.end(), type) != events.end();
  }
  // What the prober can send before its window is full.
  uint64_t Fill() {
    for (int idle = 0; idle < 200;) {
      idle = rig_.Send(rig_.client, 1000) ? 0 : idle + 1;
      rig_.RunTo(rig_.now_us + 1000);
    }
    return rig_.client.sent;
  }
  // What the hub answers, at once or as delayed ACKs.
  std::vector<Frame> Receive(const wire::FrameView& view) {
    TxBatch batch;
    const auto received = rig_.hub.tcp->Receive(view, rig_.now_us, batch);
    EXPECT_EQ(received.verdict, OuterTcp::Verdict::kPayload);
    rig_.hub.tcp->Accept(received, rig_.now_us, batch);
    Drain(batch);
    return Answers();
  }
  std::vector<Frame> Answers() {
    TxBatch batch;
    rig_.hub.tcp->Flush(rig_.now_us, batch);
    rig_.now_us += 100'000;
    rig_.hub.tcp->OnTimer(rig_.now_us, batch);
    return Drain(batch);
  }
  bool SendFromHub(const std::vector<uint8_t>& bytes) {
    TxBatch batch;
    const bool sent =
        rig_.hub.tcp->SendStream(rig_.hub.flow, bytes, rig_.now_us, batch);
    // They are lost; the flow sends them again.
    Drain(batch);
    return sent;
  }

  TcpRig rig_{RigConfig(1), RigConfig(2), LinkConfig{}, 11};
};

TEST_F(SpliceTest, TheWindowFollowsWhatTheRelayTook) {
  const uint64_t first = Fill();
  EXPECT_GE(first, 32u * 1024);
  EXPECT_LE(first, 66u * 1024);
  rig_.hub.tcp->ConsumeTo(rig_.hub.flow, first);
  rig_.FlushBoth();
  const uint64_t second = Fill();
  EXPECT_GE(second, first + 32 * 1024);
  EXPECT_LE(second, first + 66 * 1024);
  EXPECT_TRUE(rig_.faults.empty()) << rig_.faults.front();
}

// A segment that begins in front of the window's edge and ends behind it.
TEST_F(SpliceTest, ASegmentAcrossTheEdgeLeavesNoWindow) {
  Frame last;
  rig_.observer = [&](const TcpRig::Side& from, const Frame& frame) {
    if (&from == &rig_.client && !frame.View().tcp.payload.empty()) {
      last = frame;
    }
  };
  const uint64_t sent = Fill();
  wire::FrameView view = last.View();
  // As merging hands it over: longer than what is left of the window.
  std::vector<uint8_t> payload(16'000);
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = StreamByte(sent + i);
  view.tcp.seq = view.tcp.seq + static_cast<uint32_t>(view.tcp.payload.size());
  view.tcp.payload = payload;
  std::vector<Frame> answers = Receive(view);
  ASSERT_FALSE(answers.empty());
  const wire::FrameView full = answers.back().View();
  EXPECT_EQ(full.tcp.ack, view.tcp.seq + static_cast<uint32_t>(payload.size()));
  EXPECT_EQ(full.tcp.window, 0u);
  // What the relay took opens it again, and no further.
  rig_.hub.tcp->ConsumeTo(rig_.hub.flow, sent + payload.size());
  answers = Answers();
  ASSERT_FALSE(answers.empty());
  const uint64_t window = uint64_t{answers.back().View().tcp.window}
                          << WindowScaleOf(Persona::kLinux618);
  EXPECT_GE(window, 32u * 1024);
  EXPECT_LE(window, 66u * 1024);
}

TEST_F(SpliceTest, LastsWithoutAProof) {
  rig_.RunTo(rig_.now_us + 300'000'000);
  EXPECT_TRUE(rig_.hub.tcp->IsOpen(rig_.hub.flow));
}

TEST_F(SpliceTest, TheProbersEndLeavesOurSideOpen) {
  EXPECT_TRUE(rig_.Send(rig_.client, 100));
  rig_.client.tcp->Close(rig_.client.flow, rig_.now_us);
  rig_.FlushBoth();
  ASSERT_TRUE(rig_.RunUntil(
      1'000'000, [this] { return HubSaw(EventType::kStreamEnded); }));
  EXPECT_FALSE(HubSaw(EventType::kClosedByPeer));
  EXPECT_TRUE(rig_.hub.tcp->IsOpen(rig_.hub.flow));
  rig_.hub.tcp->Close(rig_.hub.flow, rig_.now_us);
  rig_.FlushBoth();
  EXPECT_TRUE(rig_.RunUntil(5'000'000,
                            [this] { return HubSaw(EventType::kReleased); }));
}

TEST_F(SpliceTest, TellsOfRoomAsThePeerAcknowledges) {
  rig_.FlushBoth();
  EXPECT_TRUE(HubSaw(EventType::kStreamRoom));
  const uint64_t limit = rig_.hub.tcp->StreamLimit(rig_.hub.flow);
  EXPECT_GT(limit, 10'000u);
  std::vector<uint8_t> bytes(10'000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = StreamByte(i);
  ASSERT_TRUE(SendFromHub(bytes));
  EXPECT_TRUE(rig_.RunUntil(60'000'000, [this, limit] {
    return rig_.hub.tcp->StreamLimit(rig_.hub.flow) > limit;
  }));
  EXPECT_TRUE(rig_.RunUntil(60'000'000, [this, &bytes] {
    return !rig_.client.delivered.empty() &&
           rig_.client.delivered.begin()->second == bytes.size();
  }));
}

TEST_F(SpliceTest, BytesThatCannotBeBroughtOverEndTheFlow) {
  rig_.filter = [](const wire::FrameView&) { return false; };
  ASSERT_TRUE(SendFromHub({1, 2, 3}));
  ASSERT_TRUE(SendFromHub({4, 5, 6}));
  EXPECT_TRUE(rig_.RunUntil(300'000'000,
                            [this] { return HubSaw(EventType::kReleased); }));
}

TEST_F(SpliceTest, AProvenFlowIsNotSpliced) {
  EXPECT_FALSE(rig_.client.tcp->Splice(rig_.client.flow));
}

}  // namespace
}  // namespace lwt::test
