// A peer, or a box in its name, whose window is closed at first or later.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/dataplane/flow/hand_written_peer.h"

namespace lwt::test {
namespace {

constexpr uint64_t kSecondsUs = 1'000'000;

OuterTcp::Config ManyStrangers() {
  OuterTcp::Config config = SmallConfig();
  config.syn_backlog = 1024;
  return config;
}

class ClosedWindowTest : public HandWrittenPeer {
 protected:
  explicit ClosedWindowTest(const OuterTcp::Config& config = SmallConfig())
      : HandWrittenPeer(config) {}
  ~ClosedWindowTest() override { Drain(batch_); }

  // An open flow, not proven, whose peer's window is `bytes`.
  void OpenWith(uint16_t bytes) {
    window_ = bytes;
    wire::FrameView syn = Syn();
    syn.tcp.options.window_scale = 0;
    OpenBy(syn);
  }

  void OpenWindow(uint16_t bytes) {
    window_ = bytes;
    Give(View(wire::kAck));
  }

  // Takes what was sent and acknowledges it. Its bytes.
  std::vector<uint8_t> Take() {
    std::vector<uint8_t> bytes;
    for (std::vector<Frame> frames = Drain(batch_); !frames.empty();
         frames = Drain(batch_)) {
      for (const Frame& frame : frames) {
        const auto payload = frame.View().tcp.payload;
        ack_ = frame.View().tcp.seq + static_cast<uint32_t>(payload.size());
        bytes.insert(bytes.end(), payload.begin(), payload.end());
      }
      Give(View(wire::kAck));
    }
    return bytes;
  }

  void PassTime(uint64_t us) {
    for (const uint64_t end = now_us_ + us; now_us_ < end;) {
      now_us_ = std::min(end, std::max(now_us_ + 1, tcp_.NextDeadline()));
      tcp_.OnTimer(now_us_, batch_);
      tcp_.Flush(now_us_, batch_);
    }
  }

  // Sends what the flow takes.
  void Fill() {
    while (tcp_.SendStream(flow_, Bytes(1000), now_us_, batch_)) continue;
  }

  static std::vector<uint8_t> Bytes(size_t count) {
    std::vector<uint8_t> bytes(count);
    std::iota(bytes.begin(), bytes.end(), uint8_t{1});
    return bytes;
  }
};

// One with many peers, told apart by their ports.
class CrowdedWindowTest : public ClosedWindowTest {
 protected:
  CrowdedWindowTest() : ClosedWindowTest(ManyStrangers()) {}

  // As OpenWith. What else the flow is given has to come from that port.
  void OpenFrom(uint16_t port, uint16_t bytes) {
    window_ = bytes;
    seq_ = TcpSeq(1000);
    wire::FrameView syn = Syn(port);
    syn.tcp.options.window_scale = 0;
    Give(syn);
    const std::vector<Frame> answer = Drain(batch_);
    ASSERT_EQ(answer.size(), 1u);
    ack_ = answer[0].View().tcp.seq + 1;
    seq_ = seq_ + 1;
    Give(View(wire::kAck, port));
    const auto event = tcp_.PopEvent();
    ASSERT_TRUE(event.has_value());
    ASSERT_EQ(event->type, EventType::kEstablished);
    flow_ = event->flow;
    Drain(batch_);
  }
};

TEST_F(ClosedWindowTest, AStreamWaitsUntilItOpens) {
  OpenWith(0);
  const std::vector<uint8_t> bytes = Bytes(4000);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  EXPECT_TRUE(Drain(batch_).empty());
  EXPECT_EQ(tcp_.totals().unsent, 3u);
  OpenWindow(60000);
  EXPECT_EQ(Take(), bytes);
  EXPECT_EQ(tcp_.totals().unsent, 0u);
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_sent, 4000u);
}

TEST_F(ClosedWindowTest, WhatASmallWindowTakesGoes) {
  OpenWith(700);
  const std::vector<uint8_t> bytes = Bytes(4000);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_in_flight, 700u);
  EXPECT_EQ(Take(), bytes);
}

TEST_F(ClosedWindowTest, WhatIsSentLaterWaitsBehindIt) {
  OpenWith(0);
  const std::vector<uint8_t> bytes = Bytes(3000);
  const std::span<const uint8_t> all = bytes;
  ASSERT_TRUE(tcp_.SendStream(flow_, all.first(2000), now_us_, batch_));
  ASSERT_TRUE(tcp_.SendStream(flow_, all.subspan(2000), now_us_, batch_));
  ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
  EXPECT_EQ(tcp_.Sendable(flow_), 0u);
  EXPECT_FALSE(SendBytes(100));
  OpenWindow(60000);
  EXPECT_EQ(Take(), bytes);
  EXPECT_TRUE(SendBytes(100));
}

// The word that opens a window may be lost, so it is asked for, at the pace of
// a kernel's window probes: each wait twice the one before.
TEST_F(ClosedWindowTest, TheWindowIsAskedFor) {
  OpenWith(0);
  ASSERT_TRUE(tcp_.SendStream(flow_, Bytes(100), now_us_, batch_));
  PassTime(3 * kSecondsUs);
  const std::vector<Frame> probes = Drain(batch_);
  ASSERT_GE(probes.size(), 2u);
  EXPECT_LE(probes.size(), 5u);
  for (const Frame& probe : probes) {
    EXPECT_EQ(probe.View().tcp.seq, ack_ + 0xffffffff);
    EXPECT_TRUE(probe.View().tcp.payload.empty());
  }
  OpenWindow(1000);
  EXPECT_EQ(Take().size(), 100u);
  PassTime(5 * kSecondsUs);
  EXPECT_TRUE(Drain(batch_).empty());
}

TEST_F(ClosedWindowTest, AProvenFlowAsksOnceItHasSomethingToSend) {
  OpenWith(1000);
  ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
  ASSERT_TRUE(SendBytes(1000));
  window_ = 0;
  Take();
  PassTime(kSecondsUs);
  EXPECT_TRUE(Drain(batch_).empty());
  EXPECT_EQ(tcp_.Sendable(flow_), 0u);
  PassTime(3 * kSecondsUs);
  EXPECT_FALSE(Drain(batch_).empty());
  OpenWindow(1000);
  EXPECT_EQ(tcp_.Sendable(flow_), 1000u);
}

TEST_F(ClosedWindowTest, TheEndComesBehindWhatWaits) {
  OpenWith(0);
  const std::vector<uint8_t> bytes = Bytes(7);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  tcp_.Close(flow_, now_us_);
  tcp_.Flush(now_us_, batch_);
  EXPECT_TRUE(Drain(batch_).empty());
  OpenWindow(100);
  const std::vector<Frame> frames = Drain(batch_);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].View().tcp.payload.size(), 7u);
  EXPECT_TRUE(frames[1].View().tcp.Has(wire::kFin));
}

// What waits holds buffers, of which a stranger gets no more than the time of a
// close, and all of them no more than a bound.
TEST_F(ClosedWindowTest, WhatWaitsIsBoundedAndEndsWithTheFlow) {
  OpenWith(0);
  Fill();
  EXPECT_EQ(tcp_.totals().unsent, OuterTcp::kMaxUnsentOfOne);
  tcp_.Close(flow_, now_us_);
  PassTime(3 * kSecondsUs);
  EXPECT_EQ(tcp_.totals().unsent, 0u);
  EXPECT_EQ(tcp_.totals().unproven, 0u);
}

// Strangers leave half to those that have proven who they are, and whose window
// is open waits for nobody.
TEST_F(CrowdedWindowTest, AFullWaitLeavesOpenWindowsAlone) {
  for (uint16_t port = 41000; port < 41100; ++port) {
    OpenFrom(port, 0);
    Fill();
  }
  EXPECT_EQ(tcp_.totals().unsent, OuterTcp::kMaxUnsentUnproven);
  OpenFrom(42000, 0);
  EXPECT_FALSE(tcp_.SendStream(flow_, Bytes(1), now_us_, batch_));
  ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
  Fill();
  EXPECT_EQ(tcp_.totals().unsent, OuterTcp::kMaxUnsent);
  OpenFrom(42001, 60000);
  EXPECT_TRUE(tcp_.SendStream(flow_, Bytes(4000), now_us_, batch_));
  size_t sent = 0;
  for (const Frame& frame : Drain(batch_)) {
    sent += frame.View().tcp.payload.size();
  }
  EXPECT_EQ(sent, 4000u);
  EXPECT_FALSE(tcp_.SendStream(flow_, Bytes(60000), now_us_, batch_));
}

// What waits counts as a stranger's no more once its flow is proven.
TEST_F(CrowdedWindowTest, AProofTakesWhatWaitsAlong) {
  OpenFrom(41000, 0);
  ASSERT_TRUE(tcp_.SendStream(flow_, Bytes(3000), now_us_, batch_));
  EXPECT_EQ(tcp_.totals().unsent_unproven, 3u);
  ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
  EXPECT_EQ(tcp_.totals().unsent_unproven, 0u);
  tcp_.Release(flow_);
  EXPECT_EQ(tcp_.totals().unsent_unproven, 0u);
  EXPECT_EQ(tcp_.totals().unsent, 0u);
}

// Nothing else tells a relay that a window of nothing has opened.
TEST_F(ClosedWindowTest, ARelayHearsOfAWindowThatOpens) {
  OpenWith(0);
  ASSERT_TRUE(tcp_.Splice(flow_));
  while (tcp_.PopEvent()) continue;
  EXPECT_EQ(tcp_.StreamLimit(flow_), 0u);
  OpenWindow(5000);
  const auto event = tcp_.PopEvent();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->type, EventType::kStreamRoom);
  EXPECT_EQ(tcp_.StreamLimit(flow_), 5000u);
}

// The word that opened it may be lost: once the relay asks again, so does the
// flow.
TEST_F(ClosedWindowTest, ARelaysWindowIsAskedFor) {
  OpenWith(0);
  ASSERT_TRUE(tcp_.Splice(flow_));
  PassTime(10 * kSecondsUs);
  EXPECT_TRUE(Drain(batch_).empty()) << "nobody waits for it yet";
  ASSERT_TRUE(tcp_.Splice(flow_));
  PassTime(3 * kSecondsUs);
  EXPECT_GE(Drain(batch_).size(), 1u);
  OpenWindow(1000);
  PassTime(20 * kSecondsUs);
  Drain(batch_);
  PassTime(20 * kSecondsUs);
  EXPECT_TRUE(Drain(batch_).empty());
}

// Of a record that goes once a window has opened the ack is awaited from when
// it was sent, and no longer for the questions before.
TEST_F(ClosedWindowTest, ARecordBehindAClosedWindowHasItsOwnTimeout) {
  OpenWith(1000);
  ASSERT_TRUE(tcp_.SetUser(flow_, {3}));
  ASSERT_TRUE(SendBytes(1000));
  window_ = 0;
  Take();
  EXPECT_FALSE(SendBytes(500));
  PassTime(20 * kSecondsUs);
  Drain(batch_);
  window_ = 1000;
  Give(View(wire::kAck));
  ASSERT_TRUE(SendBytes(500));
  Drain(batch_);
  const uint64_t sent_us = now_us_;
  const auto rto_us = tcp_.Stats(flow_)->rto_us;
  PassTime(rto_us + 10'000);
  EXPECT_FALSE(Drain(batch_).empty()) << now_us_ - sent_us;
}

}  // namespace
}  // namespace lwt::test
