// How a flow ends, and how one that was not proven does.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "dataplane/flow/control_segment.h"
#include "dataplane/flow/outer_tcp.h"
#include "tests/unit/dataplane/flow/hand_written_peer.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt {
namespace {

class OuterTcpEndTest : public test::HandWrittenPeer {};

TEST_F(OuterTcpEndTest, ClosesInOrder) {
  Open();
  Give(View(wire::kFin | wire::kAck));
  // What a sealed close record makes of it.
  tcp_.Close(flow_, now_us_);
  EXPECT_FALSE(tcp_.IsOpen(flow_));
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kResetHint);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kClosedByPeer);
  Drain(batch_);
  tcp_.Flush(now_us_, batch_);
  const std::vector<Frame> frames = Drain(batch_);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].View().tcp.flags, wire::kAck);
  EXPECT_EQ(frames[1].View().tcp.flags, wire::kFin | wire::kAck);
  for (const Frame& frame : frames) EXPECT_EQ(frame.View().tcp.ack, seq_ + 1);
  wire::FrameView last = View(wire::kAck);
  last.tcp.seq = seq_ + 1;
  last.tcp.ack = ack_ + 1;
  Give(last);
  while (tcp_.totals().proven != 0) {
    now_us_ = tcp_.NextDeadline();
    tcp_.OnTimer(now_us_, batch_);
  }
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kReleased);
  EXPECT_EQ(Drain(batch_).size(), 0u);
}

TEST_F(OuterTcpEndTest, AnswersTheFinBehindItsOwn) {
  Open();
  tcp_.Close(flow_, now_us_);
  tcp_.Flush(now_us_, batch_);
  EXPECT_TRUE(Drain(batch_).at(0).View().tcp.Has(wire::kFin));
  wire::FrameView fin = View(wire::kFin | wire::kAck);
  fin.tcp.ack = ack_ + 1;
  Give(fin);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kClosedByPeer);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, seq_ + 1);
}

TEST_F(OuterTcpEndTest, AForgedFinIsOnlyAHint) {
  Open();
  Give(View(wire::kFin | wire::kAck));
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kResetHint);
  EXPECT_FALSE(tcp_.PopEvent().has_value());
  EXPECT_TRUE(tcp_.IsOpen(flow_));
  ASSERT_TRUE(SendBytes(100));
  for (const Frame& frame : Drain(batch_)) {
    EXPECT_EQ(frame.View().tcp.ack, seq_) << "the FIN has no place in the flow";
  }
  // The true peer goes on where the FIN stood, and beyond; an ack alone says
  // nothing new.
  Give(View(wire::kAck));
  EXPECT_EQ(GiveBytes(0, {1, 2, 3}).verdict, Verdict::kPayload);
  EXPECT_EQ(GiveBytes(3, {4, 5, 6}).verdict, Verdict::kPayload);
  EXPECT_EQ(Drain(batch_).back().View().tcp.ack, seq_ + 6);
  EXPECT_FALSE(tcp_.PopEvent().has_value());
  // It is forgotten: our own close does not take it for the peer's.
  tcp_.Close(flow_, now_us_);
  EXPECT_FALSE(tcp_.PopEvent().has_value());
}

TEST_F(OuterTcpEndTest, AForgedFinDoesNotHoldUpAForwardPoint) {
  Open();
  GiveBytes(10, {1, 2, 3});
  wire::FrameView fin = View(wire::kFin | wire::kAck);
  fin.tcp.seq = seq_ + 13;
  Give(fin);
  EXPECT_FALSE(tcp_.PopEvent().has_value()) << "there is a hole before it";
  Drain(batch_);
  tcp_.OnForwardPoint(flow_, 20);
  tcp_.Flush(now_us_, batch_);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, seq_ + 20);
}

TEST_F(OuterTcpEndTest, AFinEndsAnUnprovenFlow) {
  OpenUnproven(1);
  Give(View(wire::kFin | wire::kAck));
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kClosedByPeer);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, seq_ + 1);
}

TEST_F(OuterTcpEndTest, LetsAnUnprovenFlowGo) {
  OpenUnproven(1);
  EXPECT_EQ(tcp_.totals().unproven, 1u);
  bool fin = false;
  while (tcp_.totals().unproven != 0) {
    now_us_ = tcp_.NextDeadline();
    tcp_.OnTimer(now_us_, batch_);
    tcp_.Flush(now_us_, batch_);
    for (const Frame& frame : Drain(batch_)) {
      fin |= frame.View().tcp.Has(wire::kFin);
    }
  }
  EXPECT_TRUE(fin);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kReleased);
}

}  // namespace
}  // namespace lwt
