// A peer, or a box in its name, whose window is closed at first or later.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/dataplane/flow/hand_written_peer.h"

namespace lwt::test {
namespace {

constexpr uint64_t kSecondsUs = 1'000'000;

class ClosedWindowTest : public HandWrittenPeer {
 protected:
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

  static std::vector<uint8_t> Bytes(size_t count) {
    std::vector<uint8_t> bytes(count);
    std::iota(bytes.begin(), bytes.end(), uint8_t{1});
    return bytes;
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
  while (tcp_.SendStream(flow_, Bytes(16000), now_us_, batch_)) {
    ASSERT_LE(tcp_.totals().unsent, OuterTcp::kMaxUnsent);
  }
  EXPECT_GT(tcp_.totals().unsent, OuterTcp::kMaxUnsent - 16);
  tcp_.Close(flow_, now_us_);
  PassTime(3 * kSecondsUs);
  EXPECT_EQ(tcp_.totals().unsent, 0u);
  EXPECT_EQ(tcp_.totals().unproven, 0u);
}

}  // namespace
}  // namespace lwt::test
