// One end of a flow against segments written by hand.
#include "dataplane/flow/outer_tcp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "dataplane/flow/control_segment.h"
#include "tests/unit/dataplane/flow/hand_written_peer.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt {
namespace {

using test::At;
using test::Drain;
using test::Frame;
using test::kLink;
using test::SmallConfig;
using wire::TcpSeq;
using Verdict = OuterTcp::Verdict;
using EventType = OuterTcp::EventType;

class OuterTcpTest : public test::HandWrittenPeer {
 protected:
  // The third segment of a connection whose second one was `answer`.
  wire::FrameView AckOf(const Frame& answer, uint16_t port) {
    wire::FrameView ack = View(wire::kAck, port);
    ack.tcp.seq = seq_ + 1;
    ack.tcp.ack = answer.View().tcp.seq + 1;
    ack.tcp.options.timestamps->echo =
        answer.View().tcp.options.timestamps->value;
    return ack;
  }
};

TEST_F(OuterTcpTest, AnswersASynAsLinuxDoes) {
  Give(Syn());
  const std::vector<Frame> answer = Drain(batch_);
  ASSERT_EQ(answer.size(), 1u);
  const wire::FrameView view = answer[0].View();
  EXPECT_EQ(view.tcp.flags, wire::kSyn | wire::kAck);
  EXPECT_EQ(view.tcp.ack, TcpSeq(1001));
  EXPECT_EQ(view.tcp.window, 65160);
  EXPECT_EQ(view.tcp.options.mss, 1460);
  EXPECT_EQ(view.tcp.options.window_scale, 10);
  EXPECT_TRUE(view.tcp.options.sack_permitted);
  EXPECT_EQ(view.tcp.options.timestamps->echo, 100u);
  EXPECT_TRUE(std::equal(view.link.begin(), view.link.begin() + 6, kLink + 6));
  EXPECT_EQ(wire::LoadBe16(&answer[0].bytes[18]), 0) << "IP ID";
  // A repeated SYN gets the same answer.
  Give(Syn());
  EXPECT_EQ(Drain(batch_).at(0).bytes, answer[0].bytes);
}

TEST_F(OuterTcpTest, MirrorsOnlyOfferedOptions) {
  wire::FrameView syn = Syn();
  syn.tcp.options = {};
  Give(syn);
  const std::vector<Frame> answer = Drain(batch_);
  const wire::TcpOptions options = answer.at(0).View().tcp.options;
  EXPECT_TRUE(options.mss.has_value());
  EXPECT_FALSE(options.window_scale.has_value());
  EXPECT_FALSE(options.sack_permitted);
  EXPECT_FALSE(options.timestamps.has_value());
}

TEST_F(OuterTcpTest, RepeatsSynAckAfter1_2_4_8_16Seconds) {
  Give(Syn());
  const Frame first = Drain(batch_).at(0);
  const uint64_t start = now_us_;
  std::vector<uint64_t> seconds;
  while (tcp_.totals().half_open != 0 && now_us_ < start + 100'000'000) {
    now_us_ = tcp_.NextDeadline();
    tcp_.OnTimer(now_us_, batch_);
    for (const Frame& frame : Drain(batch_)) {
      seconds.push_back((now_us_ - start) / 1'000'000);
      EXPECT_EQ(test::WithoutClock(frame), test::WithoutClock(first));
    }
  }
  EXPECT_EQ(seconds, (std::vector<uint64_t>{1, 3, 7, 15, 31}));
  EXPECT_EQ(tcp_.PopEvent(), std::nullopt);
}

TEST_F(OuterTcpTest, RepeatsSynAndGivesUp) {
  const uint64_t start = now_us_;
  const FlowId flow = tcp_.Connect(
      {At("192.0.2.2:40000"), At("192.0.2.9:9000"), kLink}, now_us_, batch_);
  std::vector<uint64_t> seconds;
  const Frame first = Drain(batch_).at(0);
  EXPECT_EQ(first.View().tcp.window, 64240);
  EXPECT_EQ(first.View().tcp.ack, TcpSeq(0));
  while (tcp_.NextDeadline() != UINT64_MAX) {
    now_us_ = tcp_.NextDeadline();
    tcp_.OnTimer(now_us_, batch_);
    for (const Frame& frame : Drain(batch_)) {
      seconds.push_back((now_us_ - start) / 1'000'000);
      EXPECT_EQ(frame.View().tcp.seq, first.View().tcp.seq);
    }
  }
  EXPECT_EQ(seconds, (std::vector<uint64_t>{1, 2, 3, 4, 5, 7, 11, 19}));
  const auto event = tcp_.PopEvent();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->type, EventType::kTimedOut);
  EXPECT_EQ(event->flow, flow);
  EXPECT_EQ(tcp_.PopEvent(), std::nullopt);
  EXPECT_FALSE(tcp_.Stats(flow).has_value());
}

TEST_F(OuterTcpTest, RefusedByRst) {
  tcp_.Connect({At("192.0.2.2:9000"), At("192.0.2.1:40000"), kLink}, now_us_,
               batch_);
  wire::FrameView reset = View(wire::kRst | wire::kAck);
  reset.tcp.ack = Drain(batch_).at(0).View().tcp.seq + 2;
  EXPECT_EQ(Give(reset).reason, DropReason::kBadAck);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kResetHint);
  reset.tcp.ack = reset.tcp.ack + 0xffffffff;
  Give(reset);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kRefused);
}

TEST_F(OuterTcpTest, OpensWhenSynsCross) {
  OuterTcp other(SmallConfig());
  TxBatch from_other;
  const Endpoint a = At("192.0.2.1:5000");
  const Endpoint b = At("192.0.2.2:6000");
  tcp_.Connect({a, b, kLink}, now_us_, batch_);
  other.Connect({b, a, kLink}, now_us_, from_other);
  for (int i = 0; i < 4; ++i) {
    const std::vector<Frame> here = Drain(batch_);
    const std::vector<Frame> there = Drain(from_other);
    for (const Frame& f : here) other.Receive(f.View(), now_us_, from_other);
    for (const Frame& f : there) tcp_.Receive(f.View(), now_us_, batch_);
  }
  Drain(batch_);
  Drain(from_other);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kEstablished);
  EXPECT_EQ(other.PopEvent()->type, EventType::kEstablished);
}

TEST_F(OuterTcpTest, AFloodOfSynsGetsCookiesAndAnHonestClientIn) {
  for (uint32_t i = 0; i < 10000; ++i) {
    wire::FrameView syn = Syn(static_cast<uint16_t>(1024 + i));
    syn.tcp.seq = TcpSeq(i * 77);
    Give(syn);
    for (const Frame& frame : Drain(batch_)) frame.View();
  }
  EXPECT_EQ(tcp_.totals().half_open, 8u);
  EXPECT_EQ(tcp_.totals().unproven, 8u);
  EXPECT_EQ(tcp_.totals().cookies_sent, 10000u - 8u);

  seq_ = TcpSeq(0xffffffff);
  Give(Syn(999));
  const Frame answer = Drain(batch_).at(0);
  wire::FrameView ack = View(wire::kAck, 999);
  ack.tcp.seq = seq_ + 1;
  ack.tcp.ack = answer.View().tcp.seq + 1;
  ack.tcp.options.timestamps->echo =
      answer.View().tcp.options.timestamps->value;
  const std::vector<uint8_t> hello(100, 1);
  ack.tcp.payload = hello;
  wire::FrameView forged = ack;
  forged.tcp.ack = forged.tcp.ack + 5;
  EXPECT_EQ(Give(forged).reason, DropReason::kBadCookie);
  const auto received = Give(ack);
  EXPECT_EQ(received.verdict, Verdict::kPayload);
  EXPECT_EQ(received.stream_offset, 0u);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kEstablished);
  // The window scale of the SYN was told by the cookie.
  EXPECT_EQ(tcp_.Stats(received.flow)->peer_window, 1000u << 7);
  EXPECT_EQ(tcp_.MaxPayload(received.flow), 1460u - 12u);
}

TEST_F(OuterTcpTest, AnswersCookiesUntilTheTableIsFull) {
  // Returns what became of the ACK of a client that came by a cookie.
  const auto come = [&](uint16_t port) {
    Give(Syn(port));
    const Frame answer = Drain(batch_).at(0);
    const auto received = Give(AckOf(answer, port));
    Drain(batch_);
    return received;
  };
  for (uint16_t i = 0; i < 100; ++i) {
    Give(Syn(static_cast<uint16_t>(1024 + i)));
    Drain(batch_);
  }
  OuterTcp::Received last;
  uint16_t came = 0;
  while (came < 50 && last.verdict != Verdict::kDropped) {
    last = come(static_cast<uint16_t>(2000 + came++));
  }
  EXPECT_EQ(last.verdict, Verdict::kDropped);
  EXPECT_EQ(last.reason, DropReason::kFlowTableFull);
  EXPECT_GT(came, 1);
}

// Neither what they leave half open nor what is ended and never answers keeps
// the next one out.
TEST_F(OuterTcpTest, AFloodOfConnectionsThatAreEndedLetsEachIn) {
  for (uint16_t i = 0; i < 100; ++i) {
    Give(Syn(static_cast<uint16_t>(1024 + i)));
    Drain(batch_);
  }
  for (uint16_t port = 2000; port < 3000; ++port) {
    Give(Syn(port));
    const Frame answer = Drain(batch_).at(0);
    ASSERT_EQ(Give(AckOf(answer, port)).verdict, Verdict::kConsumed) << port;
    FlowId opened = kNullFlow;
    while (const auto event = tcp_.PopEvent()) {
      if (event->type == EventType::kEstablished) opened = event->flow;
    }
    ASSERT_NE(opened, kNullFlow) << port;
    tcp_.Close(opened, now_us_);
    tcp_.Flush(now_us_, batch_);
    const std::vector<Frame> said = Drain(batch_);
    ASSERT_FALSE(said.empty());
    EXPECT_TRUE(said.back().View().tcp.Has(wire::kFin));
    EXPECT_LE(tcp_.totals().closing, 2u);
  }
  EXPECT_EQ(tcp_.totals().unproven, 8u + 2u);
  // Those that stand to the end are let go by their time.
  while (tcp_.NextDeadline() != UINT64_MAX) {
    now_us_ = tcp_.NextDeadline();
    tcp_.OnTimer(now_us_, batch_);
    Drain(batch_);
    while (tcp_.PopEvent()) continue;
  }
  EXPECT_EQ(tcp_.totals().closing, 0u);
  EXPECT_EQ(tcp_.totals().unproven, 0u);
}

TEST_F(OuterTcpTest, SaysWhyItDropsASegmentOfNoFlow) {
  EXPECT_EQ(Give(View(wire::kAck)).reason, DropReason::kNoFlow);
  wire::FrameView elsewhere = Syn();
  elsewhere.destination.port = 9001;
  EXPECT_EQ(Give(elsewhere).reason, DropReason::kNotForUs);
  EXPECT_EQ(batch_.size(), 0u);
}

TEST_F(OuterTcpTest, ARstNeverKillsAProvenFlow) {
  Open();
  wire::FrameView reset = View(wire::kRst);
  reset.tcp.seq = seq_ + 1;
  EXPECT_EQ(Give(reset).reason, DropReason::kOutOfWindow);
  EXPECT_EQ(Drain(batch_).size(), 1u) << "no challenge ACK (RFC 5961 3.2)";
  reset.tcp.seq = seq_ + 0x10000000;
  EXPECT_EQ(Give(reset).reason, DropReason::kOutOfWindow);
  EXPECT_EQ(Drain(batch_).size(), 0u);
  EXPECT_EQ(tcp_.PopEvent(), std::nullopt);
  EXPECT_EQ(Give(View(wire::kRst)).reason, DropReason::kResetHint);
  EXPECT_EQ(tcp_.PopEvent()->type, EventType::kResetHint);
  EXPECT_TRUE(tcp_.IsOpen(flow_));
}

TEST_F(OuterTcpTest, ChallengesASynOnAnOpenFlow) {
  Open();
  EXPECT_EQ(Give(Syn()).verdict, Verdict::kDropped);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.flags, wire::kAck);
  EXPECT_TRUE(tcp_.IsOpen(flow_));
}

TEST_F(OuterTcpTest, BoundsChallengeAcks) {
  Open();
  // One in half a second, tcp_invalid_ratelimit.
  for (int i = 0; i < 500; ++i, now_us_ += 2500) Give(Syn());
  EXPECT_EQ(Drain(batch_).size(), 3u);
}

TEST_F(OuterTcpTest, DropsWhatLiesOutsideTheWindow) {
  Open();
  EXPECT_EQ(GiveBytes(1u << 20, {1, 2, 3}).reason, DropReason::kOutOfWindow);
  EXPECT_EQ(GiveBytes(0x80000000, {1, 2, 3}).reason, DropReason::kOutOfWindow);
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_received, 0u);
}

TEST_F(OuterTcpTest, DropsAnAckOfBytesNotSent) {
  Open();
  wire::FrameView view = View(wire::kAck);
  view.tcp.ack = ack_ + 1;
  EXPECT_EQ(Give(view).reason, DropReason::kBadAck);
  view.tcp.ack = ack_ + 0x80000000;
  EXPECT_EQ(Give(view).reason, DropReason::kBadAck);
}

TEST_F(OuterTcpTest, DropsAnOldTimestamp) {
  Open();
  ts_ = 98;
  EXPECT_EQ(GiveBytes(0, {1}).reason, DropReason::kOldTimestamp);
  ts_ = 101;
  EXPECT_EQ(GiveBytes(0, {1}).verdict, Verdict::kPayload);
  wire::FrameView bare = View(wire::kAck);
  bare.tcp.options = {};
  EXPECT_EQ(Give(bare).verdict, Verdict::kConsumed) << "as Linux takes it";
}

TEST_F(OuterTcpTest, TellsAHoleAtOnceWithSack) {
  Open();
  GiveBytes(10, {1, 2, 3});
  const std::vector<Frame> acks = Drain(batch_);
  ASSERT_EQ(acks.size(), 1u);
  const wire::TcpView tcp = acks[0].View().tcp;
  EXPECT_EQ(tcp.ack, seq_);
  ASSERT_EQ(tcp.options.sack_count, 1);
  EXPECT_EQ(tcp.options.sack[0], (wire::SackBlock{seq_ + 10, seq_ + 13}));
  // An authenticated report lets the ack pass the hole.
  tcp_.OnForwardPoint(flow_, 10);
  tcp_.Flush(now_us_, batch_);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, seq_ + 13);
}

TEST_F(OuterTcpTest, DuplicateAcksKeepTheWindowAndAreCompressed) {
  Open();
  uint64_t at = 1000;
  std::vector<uint16_t> windows;
  for (int i = 0; i < 40; ++i, at += 10) {
    GiveBytes(at, std::vector<uint8_t>(10));
    for (const Frame& frame : Drain(batch_)) {
      const wire::TcpView tcp = frame.View().tcp;
      EXPECT_EQ(tcp.ack, seq_);
      windows.push_back(tcp.window);
    }
  }
  // Three at once; the timer tells of the others in one.
  EXPECT_EQ(windows.size(), 3u);
  EXPECT_EQ(std::set(windows.begin(), windows.end()).size(), 1u);
  now_us_ += 1000;
  tcp_.OnTimer(now_us_, batch_);
  const std::vector<Frame> later = Drain(batch_);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0].View().tcp.options.sack[0],
            (wire::SackBlock{seq_ + 1000, seq_ + 1400}));
}

TEST_F(OuterTcpTest, AHoleThatStaysOpenDoesNotStopThePeer) {
  Open();
  std::optional<uint16_t> first;
  uint16_t last = 0;
  for (uint64_t at = 1000; at < 60'000; at += 1000) {
    GiveBytes(at, std::vector<uint8_t>(1000));
    now_us_ += 1000;
    tcp_.OnTimer(now_us_, batch_);
    for (const Frame& frame : Drain(batch_)) {
      last = frame.View().tcp.window;
      if (!first) first = last;
    }
  }
  EXPECT_GT(last, *first);
}

TEST_F(OuterTcpTest, APayloadNotAcceptedIsNotAcknowledged) {
  Open();
  const std::vector<uint8_t> bytes(3000, 1);
  wire::FrameView view = View(wire::kAck);
  view.tcp.payload = bytes;
  EXPECT_EQ(tcp_.Receive(view, now_us_, batch_).verdict, Verdict::kPayload);
  tcp_.Flush(now_us_, batch_);
  EXPECT_EQ(batch_.size(), 0u);
  Give(view);
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, seq_ + 3000);
}

TEST_F(OuterTcpTest, CrossesTheWrapOfSequenceNumbers) {
  Open(0xfffffff0);
  for (uint32_t at = 0; at < 64; at += 16) {
    const auto received = GiveBytes(at, std::vector<uint8_t>(16, 1));
    EXPECT_EQ(received.verdict, Verdict::kPayload);
    EXPECT_EQ(received.stream_offset, at);
  }
  EXPECT_EQ(Drain(batch_).back().View().tcp.ack, seq_ + 64);
}

TEST_F(OuterTcpTest, SendsNothingBeyondThePeersWindow) {
  Open();
  const uint64_t window = tcp_.Stats(flow_)->peer_window;
  EXPECT_EQ(window, 1000u << 7);
  uint64_t sent = 0;
  while (tcp_.Sendable(flow_) >= 1448) {
    ASSERT_TRUE(SendBytes(1448));
    Drain(batch_);
    sent += 1448;
  }
  // What is left is for reports only, and ends too.
  EXPECT_GT(window - sent, 4096u);
  while (SendBytes(87)) {
    Drain(batch_);
    sent += 87;
  }
  EXPECT_LE(sent, window);
  EXPECT_GT(sent + 87, window);
}

// As behind a shaper, or a SYN proxy that scales windows otherwise.
TEST_F(OuterTcpTest, ASmallWindowCarriesRecordsToo) {
  for (const uint16_t window : {12, 24, 62}) {  // 1536, 3072 and 7936 bytes
    window_ = window;
    Open(1000 * window);
    for (int i = 0; i < 10; ++i) {
      ASSERT_GE(tcp_.Sendable(flow_), 1448u) << window;
      ASSERT_TRUE(SendBytes(1448));
      Drain(batch_);
      ack_ = ack_ + 1448;
      Give(View(wire::kAck));
    }
    // Nothing acknowledged: room for a report is left.
    while (tcp_.Sendable(flow_) >= 1448) {
      ASSERT_TRUE(SendBytes(1448));
      Drain(batch_);
    }
    EXPECT_TRUE(SendBytes(87)) << window;
    Drain(batch_);
    tcp_.Release(flow_);
    Drain(batch_);
  }
}

TEST_F(OuterTcpTest, CutsAStreamAtTheMss) {
  Open();
  const std::vector<uint8_t> bytes(4000, 9);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  const std::vector<Frame> frames = Drain(batch_);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].View().payload().size(), 1448u);
  EXPECT_FALSE(frames[0].View().tcp.Has(wire::kPsh));
  EXPECT_EQ(frames[2].View().payload().size(), 4000u - 2 * 1448u);
  EXPECT_TRUE(frames[2].View().tcp.Has(wire::kPsh));
}

TEST_F(OuterTcpTest, SendsAgainTheSameBytesWhenThreeAreSacked) {
  Open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(SendBytes(1448));
  const std::vector<Frame> sent = Drain(batch_);
  now_us_ += 1000;
  wire::FrameView ack = View(wire::kAck);
  ack.tcp.options.sack_count = 1;
  ack.tcp.options.sack[0] = {ack_ + 1448, ack_ + 5 * 1448};
  Give(ack);
  const std::vector<Frame> again = Drain(batch_);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].View().tcp.seq, sent[0].View().tcp.seq);
  EXPECT_TRUE(
      std::ranges::equal(again[0].View().payload(), sent[0].View().payload()));
}

TEST_F(OuterTcpTest, BoundsProvenFlows) {
  for (uint16_t port = 1; port <= 3; ++port) {
    seq_ = TcpSeq(port);
    Give(Syn(port));
    ack_ = Drain(batch_).at(0).View().tcp.seq + 1;
    seq_ = seq_ + 1;
    Give(View(wire::kAck, port));
    EXPECT_EQ(tcp_.SetUser(tcp_.PopEvent()->flow, {port}), port <= 2);
  }
  EXPECT_EQ(tcp_.totals().proven, 2u);
}

}  // namespace
}  // namespace lwt
