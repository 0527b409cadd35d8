// Segments of no flow, of flows that have ended, and more than once; what a
// persona says.
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/flow/outer_tcp.h"
#include "tests/unit/dataplane/flow/hand_written_peer.h"

namespace lwt {
namespace {

using test::At;
using test::Drain;
using test::Frame;
using test::kLink;
using wire::TcpSeq;
using Verdict = OuterTcp::Verdict;
using EventType = OuterTcp::EventType;

OuterTcp::Config PersonaConfig(Persona persona) {
  OuterTcp::Config config = test::SmallConfig();
  config.persona = persona;
  return config;
}

// A peer at 192.0.2.1:40000 of the server at 192.0.2.2:9000.
class StrayTest : public test::HandWrittenPeer {
 protected:
  StrayTest() : HandWrittenPeer(PersonaConfig(Persona::kLinux618)) {}

  wire::FrameView View(uint8_t flags, uint32_t seq, uint32_t ack) const {
    wire::FrameView view = HandWrittenPeer::View(flags);
    view.tcp.seq = TcpSeq(1000 + seq);
    view.tcp.ack = flags & wire::kAck ? isn_ + ack : TcpSeq(0);
    return view;
  }

  // What is answered, as a worker does it that knows of no other.
  std::vector<Frame> Give(const wire::FrameView& view) {
    const auto received = HandWrittenPeer::Give(view);
    if (received.verdict == Verdict::kDropped && received.flow == kNullFlow) {
      tcp_.AnswerStray(view, now_us_, batch_);
    }
    tcp_.Flush(now_us_, batch_);
    tcp_.OnTimer(now_us_, batch_);
    while (const auto event = tcp_.PopEvent()) flow_ = event->flow;
    return Drain(batch_);
  }

  void Open(bool proven) {
    isn_ = Give(Syn()).at(0).View().tcp.seq;
    EXPECT_TRUE(Give(View(wire::kAck, 1, 1)).empty());
    EXPECT_TRUE(!proven || tcp_.SetUser(flow_, {3}));
  }

  // Lets the next tick of the timers pass.
  void Tick() {
    now_us_ += 2000;
    tcp_.OnTimer(now_us_, batch_);
    while (tcp_.PopEvent()) continue;
    EXPECT_EQ(batch_.size(), 0u);
  }

  // This side closes, and the peer after it.
  void EndInOrder() {
    tcp_.Close(flow_, now_us_);
    tcp_.Flush(now_us_, batch_);
    EXPECT_TRUE(Drain(batch_).at(0).View().tcp.Has(wire::kFin));
    const auto last = Give(View(wire::kFin | wire::kAck, 1, 2));
    ASSERT_EQ(last.size(), 1u);
    EXPECT_EQ(last[0].View().tcp.ack, TcpSeq(1002));
    Tick();
    EXPECT_EQ(tcp_.totals().proven + tcp_.totals().unproven, 0u);
  }

  TcpSeq isn_{0};
};

// Else a flow that somebody began in our name would keep us out for as long as
// the peer's kernel remembers it.
TEST_F(StrayTest, TellsThePeerThatItsOldFlowIsNone) {
  tcp_.Connect({At("192.0.2.2:9000"), At("192.0.2.1:40000"), kLink}, now_us_,
               batch_);
  isn_ = Drain(batch_).at(0).View().tcp.seq;
  const auto answers = Give(View(wire::kAck, 0, 100'000));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].View().tcp.flags, wire::kRst);
  EXPECT_EQ(answers[0].View().tcp.seq, isn_ + 100'000);
  EXPECT_TRUE(Give(View(wire::kRst | wire::kAck, 0, 100'000)).empty())
      << "no RST for a RST";
}

TEST_F(StrayTest, AnAckAtTheListenersPortIsReset) {
  wire::FrameView stray = View(wire::kAck, 5, 77);
  stray.traffic_class = 0x2b;
  const auto answer = Give(stray);
  ASSERT_EQ(answer.size(), 1u);
  const wire::FrameView view = answer[0].View();
  EXPECT_EQ(view.tcp.flags, wire::kRst);
  EXPECT_EQ(view.tcp.seq, TcpSeq(77));
  EXPECT_EQ(view.tcp.ack, TcpSeq(0));
  EXPECT_EQ(view.tcp.window, 0);
  EXPECT_EQ(view.traffic_class, 0x28) << "without the congestion bits";
  EXPECT_EQ(wire::LoadBe16(&answer[0].bytes[18]), 0) << "IP ID";
  EXPECT_EQ(wire::LoadBe16(&answer[0].bytes[20]), 0x4000) << "DF";
  EXPECT_EQ(tcp_.totals().resets_sent, 1u);
}

TEST_F(StrayTest, NeitherARstNorASegmentWithoutAckIsReset) {
  EXPECT_TRUE(Give(View(wire::kRst | wire::kAck, 5, 7)).empty());
  EXPECT_TRUE(Give(View(wire::kRst, 5, 7)).empty());
  EXPECT_TRUE(Give(View(wire::kFin, 5, 7)).empty());
  EXPECT_TRUE(Give(View(0, 5, 7)).empty());
  // Not before this side has connected from that address: a hub takes frames
  // a moment before it listens.
  wire::FrameView elsewhere = View(wire::kAck, 5, 7);
  elsewhere.destination.port = 9001;
  EXPECT_TRUE(Give(elsewhere).empty());
}

TEST_F(StrayTest, AClientsPortIsClosedToOthers) {
  tcp_.Connect({At("192.0.2.2:9001"), At("192.0.2.9:9000"), kLink}, now_us_,
               batch_);
  Drain(batch_);
  wire::FrameView syn = View(wire::kSyn, 0, 0);
  syn.destination.port = 9001;
  const auto answer = Give(syn);
  ASSERT_EQ(answer.size(), 1u);
  const wire::TcpView tcp = answer[0].View().tcp;
  EXPECT_EQ(tcp.flags, wire::kRst | wire::kAck);
  EXPECT_EQ(tcp.seq, TcpSeq(0));
  EXPECT_EQ(tcp.ack, TcpSeq(1001));
}

TEST_F(StrayTest, ResetsAreBounded) {
  size_t resets = 0;
  for (int i = 0; i < 3000; ++i) resets += Give(View(wire::kAck, 5, 7)).size();
  EXPECT_EQ(resets, 1000u);
  now_us_ += 1'000'000;
  EXPECT_EQ(Give(View(wire::kAck, 5, 7)).size(), 1u);
}

TEST_F(StrayTest, ATunnelThatWasForgottenIsNotReset) {
  Open(/*proven=*/true);
  tcp_.Release(flow_);
  EXPECT_TRUE(Give(View(wire::kAck, 1, 1)).empty());
  now_us_ += 59'000'000;
  EXPECT_TRUE(Give(View(wire::kAck, 1, 1)).empty());
  now_us_ += 2'000'000;
  EXPECT_EQ(Give(View(wire::kAck, 1, 1)).size(), 1u) << "after a minute";
}

TEST_F(StrayTest, ATunnelThatEndedInOrderIsNotReset) {
  Open(/*proven=*/true);
  EndInOrder();
  wire::FrameView late = View(wire::kAck, 2, 2);
  const std::vector<uint8_t> bytes(10);
  late.tcp.payload = bytes;
  const auto answer = Give(late);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].View().tcp.flags, wire::kAck);
  EXPECT_EQ(answer[0].View().tcp.ack, TcpSeq(1002));
  // A RST ends what is left of it, but not the memory of a tunnel.
  EXPECT_TRUE(Give(View(wire::kRst, 2, 2)).empty());
  EXPECT_TRUE(Give(View(wire::kAck, 2, 2)).empty());
}

TEST_F(StrayTest, WhatNeverWasATunnelIsResetOnceForgotten) {
  Open(/*proven=*/false);
  tcp_.Release(flow_);
  EXPECT_EQ(Give(View(wire::kAck, 1, 1)).size(), 1u);
}

TEST_F(StrayTest, TheFinAfterOursIsAnsweredThoughTheFlowIsGone) {
  Open(/*proven=*/false);
  tcp_.Close(flow_, now_us_);
  tcp_.Flush(now_us_, batch_);
  Drain(batch_);
  EXPECT_TRUE(Give(View(wire::kAck, 1, 2)).empty());
  Tick();
  EXPECT_EQ(tcp_.totals().unproven, 0u) << "FIN-WAIT-2 takes no slot";
  const auto first = Give(View(wire::kFin | wire::kAck, 1, 2));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].View().tcp.ack, TcpSeq(1002));
  EXPECT_EQ(Give(View(wire::kFin | wire::kAck, 1, 2)).size(), 1u);
}

TEST_F(StrayTest, BytesAfterOurFinAreResetOnce) {
  Open(/*proven=*/false);
  tcp_.Close(flow_, now_us_);
  tcp_.Flush(now_us_, batch_);
  Drain(batch_);
  Give(View(wire::kAck, 1, 2));
  Tick();
  wire::FrameView bytes = View(wire::kAck, 1, 2);
  const std::vector<uint8_t> payload(10);
  bytes.tcp.payload = payload;
  const auto answer = Give(bytes);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].View().tcp.flags, wire::kRst);
}

TEST_F(StrayTest, ASynBeginsAnewInTimeWaitWhereItIsLater) {
  Open(/*proven=*/false);
  EndInOrder();
  ts_ = 90;
  wire::FrameView syn = View(wire::kSyn, 1u << 20, 0);
  EXPECT_EQ(Give(syn).at(0).View().tcp.flags, wire::kAck) << "an old one";
  ts_ = 101;
  syn = View(wire::kSyn, 0, 0);
  const wire::TcpView answer = Give(syn).at(0).View().tcp;
  EXPECT_EQ(answer.flags, wire::kSyn | wire::kAck);
  // Beyond all that the old one could send.
  EXPECT_EQ(answer.seq, isn_ + 2 + 65537);
}

TEST_F(StrayTest, ADuplicateIsToldOf) {
  Open(/*proven=*/true);
  const std::vector<uint8_t> bytes(10);
  const auto give = [&](uint32_t seq) {
    wire::FrameView view = View(wire::kAck, seq, 1);
    view.tcp.payload = bytes;
    return Give(view);
  };
  give(1);
  const auto again = give(1);
  ASSERT_EQ(again.size(), 1u);
  const wire::TcpView tcp = again[0].View().tcp;
  ASSERT_EQ(tcp.options.sack_count, 1);
  EXPECT_EQ(tcp.options.sack[0], (wire::SackBlock{TcpSeq(1001), TcpSeq(1011)}));
  give(21);
  const wire::TcpView hole = give(21).at(0).View().tcp;
  ASSERT_EQ(hole.options.sack_count, 2);
  EXPECT_EQ(hole.options.sack[0],
            (wire::SackBlock{TcpSeq(1021), TcpSeq(1031)}));
  EXPECT_EQ(hole.options.sack[1], hole.options.sack[0]);
  // It is told once.
  EXPECT_EQ(give(41).at(0).View().tcp.options.sack_count, 2);
}

TEST_F(StrayTest, ADuplicateThatThePeerTellsOfMeansReordering) {
  Open(/*proven=*/true);
  const std::vector<uint8_t> bytes(5 * 1448, 1);
  // Whether four segments told of behind a hole make it be filled at once.
  const auto repairs = [&](uint32_t hole) {
    EXPECT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
    Drain(batch_);
    now_us_ += 1000;
    wire::FrameView ack = View(wire::kAck, 1, hole);
    ack.tcp.options.sack_count = 1;
    ack.tcp.options.sack[0] = {isn_ + hole + 1448, isn_ + hole + 5 * 1448};
    return Give(ack).size();
  };
  EXPECT_EQ(repairs(1), 1u);
  wire::FrameView ack = View(wire::kAck, 1, 1 + 5 * 1448);
  ack.tcp.options.sack_count = 1;
  ack.tcp.options.sack[0] = {isn_ + 1, isn_ + 1 + 1448};
  EXPECT_TRUE(Give(ack).empty());
  EXPECT_EQ(repairs(1 + 5 * 1448), 0u);
  now_us_ += 50'000;
  tcp_.OnTimer(now_us_, batch_);
  EXPECT_FALSE(Drain(batch_).empty()) << "later it is";
}

TEST(PersonaTest, ChoosesTheWindowScaleAndThePaceOfSyns) {
  const struct {
    Persona persona;
    uint8_t scale;
    std::vector<uint64_t> seconds;
  } cases[] = {{Persona::kLinux61, 7, {1, 3, 7, 15}},
               {Persona::kLinux618, 10, {1, 2, 3, 4, 5, 7, 11, 19}}};
  for (const auto& expected : cases) {
    OuterTcp tcp(PersonaConfig(expected.persona));
    TxBatch batch;
    const uint64_t start = 5'000'000;
    tcp.Connect({At("192.0.2.2:40000"), At("192.0.2.9:9000"), kLink}, start,
                batch);
    const Frame first = Drain(batch).at(0);
    EXPECT_EQ(first.View().tcp.options.window_scale, expected.scale);
    std::vector<uint64_t> seconds;
    while (tcp.NextDeadline() != UINT64_MAX) {
      const uint64_t now_us = tcp.NextDeadline();
      tcp.OnTimer(now_us, batch);
      for (const Frame& frame : Drain(batch)) {
        EXPECT_EQ(frame.View().tcp.seq, first.View().tcp.seq);
        seconds.push_back((now_us - start) / 1'000'000);
      }
    }
    EXPECT_EQ(seconds, expected.seconds);
  }
}

TEST(PersonaTest, TheSynsWindowIsWholeSegmentsOf64KiB) {
  for (const auto& [mtu, window] : {std::pair<uint16_t, uint16_t>{1500, 64240},
                                    {1064, 65535},
                                    {1280, 64480},
                                    {9000, 62720}}) {
    OuterTcp::Config config = PersonaConfig(Persona::kLinux618);
    config.link_mtu = mtu;
    OuterTcp tcp(config);
    TxBatch batch;
    tcp.Connect({At("192.0.2.2:40000"), At("192.0.2.9:9000"), kLink}, 1000,
                batch);
    const wire::TcpView syn = Drain(batch).at(0).View().tcp;
    EXPECT_EQ(syn.window, window) << mtu;
    EXPECT_EQ(syn.options.mss, mtu - 40);
  }
}

}  // namespace
}  // namespace lwt
