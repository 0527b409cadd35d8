// Segments of an open flow that somebody else has written, blind or with exact
// numbers: what they may change, and how soon that is over.
#include <gtest/gtest.h>

#include <cstring>
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

constexpr uint64_t kDayUs = uint64_t{24} * 3600 * 1'000'000;
constexpr uint32_t kWeekMs = 7 * 24 * 3600 * 1000;

OuterTcp::Config ForgedConfig() {
  OuterTcp::Config config = test::SmallConfig();
  config.arena_bytes = size_t{12} << 20;
  return config;
}

// A proven flow of the server at 192.0.2.2:9000; its peer and a forger.
class ForgedSegments : public test::HandWrittenPeer {
 protected:
  ForgedSegments() : HandWrittenPeer(ForgedConfig()) {}

  void SetUp() override {
    window_ = 50000;
    Open(kFirst);
    isn_ = ack_ + 0xffffffff;
  }

  void TearDown() override { Drain(batch_); }

  // The number that answers.
  TcpSeq GiveSyn() {
    seq_ = kIsn;
    Give(Syn());
    return Drain(batch_).at(0).View().tcp.seq;
  }

  // The peer's next segment, without payload.
  wire::FrameView Segment() const {
    wire::FrameView view = View(wire::kAck);
    view.tcp.seq = kIsn + 1 + sent_;
    view.tcp.ack = isn_ + 1 + acked_;
    return view;
  }

  // The peer's next bytes, a millisecond later.
  OuterTcp::Received GiveBytes(size_t size = 100) {
    ts_ += 1;
    now_us_ += 1000;
    const std::vector<uint8_t> bytes(size, 1);
    wire::FrameView view = Segment();
    view.tcp.payload = bytes;
    const auto received = Give(view);
    if (received.verdict == Verdict::kPayload) {
      sent_ += static_cast<uint32_t>(size);
    }
    return received;
  }

  // An ack of `over` bytes more than the peer has, with bytes that came before.
  void GiveAckAhead(uint32_t over) {
    now_us_ += 50'000;
    const std::vector<uint8_t> bytes(100, 1);
    wire::FrameView view = Segment();
    view.tcp.seq = kIsn + 1 + (sent_ - 100);
    view.tcp.ack = isn_ + 1 + acked_ + over;
    view.tcp.payload = bytes;
    Give(view);
  }

  void SendBytes(uint16_t size, int count = 1) {
    for (int i = 0; i < count; ++i) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(test::PacketPool());
      std::memset(rte_pktmbuf_append(mbuf, size), 0x55, size);
      ASSERT_TRUE(tcp_.Encapsulate(flow_, mbuf, true, now_us_));
      rte_pktmbuf_free(mbuf);
    }
  }

  void Block(wire::FrameView& view, uint32_t from, uint32_t to) const {
    view.tcp.options.sack[view.tcp.options.sack_count++] = {isn_ + 1 + from,
                                                            isn_ + 1 + to};
  }

  // Runs the timers for so long; returns how many segments with payload left.
  size_t RunFor(uint64_t time_us) {
    size_t sent = 0;
    const uint64_t end = now_us_ + time_us;
    while (tcp_.NextDeadline() <= end) {
      now_us_ = std::max(now_us_, tcp_.NextDeadline());
      tcp_.OnTimer(now_us_, batch_);
      tcp_.Flush(now_us_, batch_);
      sent += DrainPayloads();
    }
    now_us_ = end;
    return sent;
  }

  size_t DrainPayloads() {
    size_t sent = 0;
    for (const Frame& frame : Drain(batch_)) {
      sent += !frame.View().tcp.payload.empty();
    }
    return sent;
  }

  bool Raised(EventType type) {
    bool found = false;
    while (const auto event = tcp_.PopEvent()) found |= event->type == type;
    return found;
  }

  uint64_t InFlight() { return tcp_.Stats(flow_)->bytes_in_flight; }

  // What the next ACK of ours echoes.
  uint32_t Echo() {
    Drain(batch_);
    GiveBytes();
    GiveBytes(2000);
    return Drain(batch_).back().View().tcp.options.timestamps->echo;
  }

  static constexpr uint32_t kFirst = 5000;
  static constexpr TcpSeq kIsn{kFirst};

  TcpSeq isn_;
  uint32_t sent_ = 0;   // of the peer's stream
  uint32_t acked_ = 0;  // of ours
};

TEST_F(ForgedSegments, FourBlindOnesLeaveTheTimestampAlone) {
  const std::vector<uint8_t> bytes(10, 9);
  for (uint32_t i = 0; i < 4; ++i) {
    for (const uint32_t ack : {0u, 0x40000000u, 0x80000000u, 0xc0000000u}) {
      for (const bool payload : {false, true}) {
        wire::FrameView blind = Segment();
        blind.tcp.seq = blind.tcp.seq + i * 0x40000000u + 0x30000000u;
        blind.tcp.ack = blind.tcp.ack + ack;
        blind.tcp.options.timestamps->value += kWeekMs;
        if (payload) blind.tcp.payload = bytes;
        Give(blind);
      }
    }
  }
  EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload);
  const uint32_t before = ts_;
  EXPECT_EQ(Echo(), before + 2);
}

TEST_F(ForgedSegments, OnlyWhatCoversTheLastAckSetsTheTimestamp) {
  GiveBytes(3000);
  Drain(batch_);
  const std::vector<uint8_t> bytes(10, 9);
  wire::FrameView forged = Segment();
  forged.tcp.payload = bytes;
  forged.tcp.options.timestamps->value += kWeekMs;
  const TcpSeq next = forged.tcp.seq;
  // Below, above and beyond; and in the window with an ack of the future.
  for (const uint32_t at : {-11u, -2000u, 50u, 1u << 20}) {
    forged.tcp.seq = next + at;
    Give(forged);
  }
  forged.tcp.seq = next;
  forged.tcp.ack = forged.tcp.ack + (1u << 30);
  EXPECT_EQ(Give(forged).reason, DropReason::kBadAck);
  EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload);
}

TEST_F(ForgedSegments, AForgedTimestampIsForgottenSoon) {
  wire::FrameView forged = Segment();
  forged.tcp.options.timestamps->value += kWeekMs;
  Give(forged);
  int refused = 0;
  while (GiveBytes().verdict != Verdict::kPayload) ASSERT_LE(++refused, 3);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload);
  const uint32_t before = ts_;
  EXPECT_EQ(Echo(), before + 2) << "the peer's own is echoed again";
  // A single old one is as old as ever.
  ts_ -= 5000;
  EXPECT_EQ(GiveBytes().reason, DropReason::kOldTimestamp);
}

// Who opened a flow knows whom it called: its handshake outlives one too.
TEST(ForgedHandshake, AForgedTimestampIsForgottenSoon) {
  OuterTcp tcp(ForgedConfig());
  TxBatch batch;
  uint64_t now_us = 5'000'000;
  tcp.Connect({At("192.0.2.2:9000"), At("192.0.2.1:40000"), kLink}, now_us,
              batch);
  const wire::TcpSeq isn = Drain(batch).at(0).View().tcp.seq;
  wire::FrameView view;
  view.link = kLink;
  view.source = At("192.0.2.1:40000");
  view.destination = At("192.0.2.2:9000");
  view.tcp.source_port = 40000;
  view.tcp.destination_port = 9000;
  view.tcp.flags = wire::kSyn | wire::kAck;
  view.tcp.seq = TcpSeq(1000);
  view.tcp.ack = isn + 1;
  view.tcp.window = 50000;
  view.tcp.options.mss = 1460;
  view.tcp.options.timestamps = wire::TcpTimestamps{100, 0};
  tcp.Receive(view, now_us, batch);
  view.tcp.options.mss.reset();
  view.tcp.flags = wire::kAck;
  view.tcp.seq = TcpSeq(1001);
  view.tcp.options.timestamps->value = 100 + kWeekMs;
  tcp.Receive(view, now_us, batch);
  const std::vector<uint8_t> bytes(100, 1);
  view.tcp.payload = bytes;
  int refused = 0;
  for (view.tcp.options.timestamps->value = 101;; ++now_us) {
    if (tcp.Receive(view, now_us, batch).verdict == Verdict::kPayload) break;
    ASSERT_LE(++refused, 3);
  }
  EXPECT_EQ(refused, 3);
  Drain(batch);
}

TEST_F(ForgedSegments, AForgedTimestampIsForgottenAboveTheHoleThatItMade) {
  wire::FrameView forged = Segment();
  forged.tcp.options.timestamps->value += kWeekMs;
  Give(forged);
  // The peer's next segments, of which the first three are refused.
  const std::vector<uint8_t> bytes(100, 1);
  for (uint32_t i = 0; i < 10; ++i) {
    wire::FrameView view = Segment();
    view.tcp.seq = view.tcp.seq + i * 100;
    view.tcp.payload = bytes;
    EXPECT_EQ(Give(view).verdict == Verdict::kPayload, i >= 3) << i;
  }
  EXPECT_EQ(GiveBytes(300).verdict, Verdict::kPayload) << "they come again";
  sent_ = 1000;
  const uint32_t before = ts_;
  EXPECT_EQ(Echo(), before + 2);
}

TEST_F(ForgedSegments, ATimestampOf24DaysAgoRefusesNothing) {
  EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload);
  now_us_ += 20 * kDayUs;
  ts_ -= 1000;
  EXPECT_EQ(GiveBytes().reason, DropReason::kOldTimestamp);
  now_us_ += 5 * kDayUs;
  // The clock of a peer has turned by more than half since.
  ts_ += 0x90000000;
  EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload);
}

TEST_F(ForgedSegments, NoFieldCountsBelowTheWindow) {
  GiveBytes(3000);
  SendBytes(1000, 4);
  Drain(batch_);
  while (tcp_.PopEvent()) continue;
  const uint64_t window = tcp_.Stats(flow_)->peer_window;
  const std::vector<uint8_t> bytes(10, 9);
  for (const uint8_t flags : {0, int{wire::kFin}}) {
    for (const uint32_t below : {11u, 2000u, 1u << 20, 15u << 20}) {
      wire::FrameView old = Segment();
      old.tcp.flags = static_cast<uint8_t>(wire::kAck | flags);
      old.tcp.seq = old.tcp.seq + (0u - below);
      old.tcp.ack = old.tcp.ack + 1000;
      old.tcp.window = 65535;
      Block(old, 2000, 4000);
      if (flags == 0) old.tcp.payload = bytes;
      const auto received = Give(old);
      // The records in it are opened again (docs/decisions/0004).
      EXPECT_EQ(received.verdict == Verdict::kPayload,
                flags == 0 && below <= 3000)
          << below;
      EXPECT_FALSE(received.fin);
    }
  }
  EXPECT_EQ(InFlight(), 4000u);
  EXPECT_EQ(tcp_.Stats(flow_)->peer_window, window);
  EXPECT_EQ(DrainPayloads(), 0u) << "nothing is taken for lost";
  EXPECT_FALSE(Raised(EventType::kResetHint));
}

TEST_F(ForgedSegments, AWindowOfNothingStopsNothing) {
  const uint32_t before = tcp_.Sendable(flow_);
  wire::FrameView forged = Segment();
  forged.tcp.window = 0;
  Give(forged);
  EXPECT_EQ(tcp_.Sendable(flow_), before);
  forged.tcp.window = 65535;
  Give(forged);
  EXPECT_LE(tcp_.Stats(flow_)->peer_window, 16u << 20);
}

// The sender has let go of what the receiver lacks.
TEST_F(ForgedSegments, ASackThatLiedDoesNotHoldTheFlowForEver) {
  SendBytes(1000, 3);
  Drain(batch_);
  wire::FrameView lie = Segment();
  Block(lie, 1000, 2000);
  Give(lie);
  // What is true.
  acked_ = 1000;
  wire::FrameView ack = Segment();
  Block(ack, 2000, 3000);
  Give(ack);
  EXPECT_EQ(InFlight(), 2000u);
  RunFor(3'000'000);
  EXPECT_TRUE(Raised(EventType::kForwardMoved));
  EXPECT_EQ(tcp_.ForwardPoint(flow_), 3000u);
}

TEST_F(ForgedSegments, ASackThatLiedOfAStreamIsSentAgain) {
  const std::vector<uint8_t> bytes(3000, 7);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  Drain(batch_);
  wire::FrameView lie = Segment();
  lie.tcp.ack = lie.tcp.ack + 1448;
  Block(lie, 2 * 1448, 3000);
  Give(lie);
  lie = Segment();
  lie.tcp.ack = lie.tcp.ack + 1448;
  lie.tcp.options.sack_count = 0;
  Block(lie, 1449, 3000);
  Give(lie);
  Drain(batch_);
  EXPECT_GE(RunFor(2'000'000), 2u);
  EXPECT_EQ(tcp_.Stats(flow_)->segments_given_up, 0u);
}

// As a prober may: segments as short as it likes, and kept when SACKed.
TEST_F(ForgedSegments, ASackOfAStreamCostsAFewSteps) {
  std::vector<uint8_t> bytes(60'000, 7);
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  ASSERT_TRUE(tcp_.SendStream(flow_, bytes, now_us_, batch_));
  Drain(batch_);
  for (int i = 0; i < 3; ++i) {
    wire::FrameView ack = Segment();
    Block(ack, 179'000, 180'000);
    Block(ack, 1448, 170'000);
    Block(ack, 1449, 170'000);
    Block(ack, 1450, 170'000);
    const uint64_t before = tcp_.totals().sack_steps;
    Give(ack);
    EXPECT_LE(tcp_.totals().sack_steps - before, 3u * (64 + 20));
    Drain(batch_);
  }
}

// Bytes that the peer never sent fill its place: it is behind from then on.
TEST_F(ForgedSegments, TheSenderFollowsAPeerThatHasMoreThanWasSent) {
  SendBytes(1000);
  acked_ = 1000;
  GiveBytes();
  ASSERT_EQ(InFlight(), 0u);
  acked_ = 1000 + 1448;
  wire::FrameView bare = Segment();
  EXPECT_EQ(Give(bare).reason, DropReason::kBadAck);
  for (int i = 0; i < 4; ++i) {
    now_us_ += 20'000;
    EXPECT_EQ(GiveBytes().verdict, Verdict::kPayload) << "it may be opened";
  }
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_sent, 1000u + 1448u);
  SendBytes(500);
  EXPECT_EQ(InFlight(), 500u);
  acked_ += 500;
  GiveBytes();
  EXPECT_EQ(InFlight(), 0u);
}

TEST_F(ForgedSegments, TheSenderFollowsNobodyWhoIsContradicted) {
  SendBytes(1000);
  for (int i = 0; i < 20; ++i) {
    now_us_ += 20'000;
    acked_ = 1000 + 1448;
    const auto received = GiveBytes();
    EXPECT_EQ(received.verdict, Verdict::kPayload);
    acked_ = 0;
    GiveBytes();
  }
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_sent, 1000u);
}

// The forger repeats bytes that came, which nobody contradicts, on a flow that
// has nothing to say.
TEST_F(ForgedSegments, AcksFarAheadStopNothing) {
  SendBytes(1000);
  acked_ = 1000;
  GiveBytes();
  DrainPayloads();
  constexpr uint32_t kWindow = 50000u << 7;
  for (const uint32_t over : {kWindow - 8191, kWindow, 16u << 20}) {
    for (int i = 0; i < 4; ++i) {
      GiveAckAhead(over);
    }
  }
  DrainPayloads();
  SendBytes(500);
  EXPECT_EQ(tcp_.Stats(flow_)->bytes_sent, 1000u + 500u);
  EXPECT_EQ(InFlight(), 500u);
  acked_ = 1500;
  GiveBytes();
  EXPECT_EQ(InFlight(), 0u);
}

TEST_F(ForgedSegments, WhereNobodyHasWhatWasNeverSentThePeerIsToldToGoOn) {
  SendBytes(1000);
  acked_ = 1000;
  GiveBytes();
  for (int i = 0; i < 3; ++i) GiveAckAhead(100'000);
  GiveBytes();  // the peer's own word: 1000
  RunFor(5'000'000);
  EXPECT_TRUE(Raised(EventType::kForwardMoved));
  EXPECT_EQ(tcp_.ForwardPoint(flow_), 101'000u);
  SendBytes(500);
  acked_ = 101'500;
  GiveBytes();
  EXPECT_EQ(InFlight(), 0u);
}

TEST_F(ForgedSegments, ADsackWithoutARepairSlowsNoRepair) {
  SendBytes(1448, 2);
  acked_ = 2 * 1448;
  GiveBytes();
  wire::FrameView forged = Segment();
  Block(forged, 0, 1448);
  Give(forged);
  SendBytes(1448, 5);
  Drain(batch_);
  now_us_ += 1000;
  wire::FrameView ack = Segment();
  Block(ack, acked_ + 1448, acked_ + 5 * 1448);
  Give(ack);
  EXPECT_EQ(DrainPayloads(), 1u) << "three behind it came";
}

// An ACK that comes sooner than any could makes all before it late.
TEST_F(ForgedSegments, AcksTooSoonDoNotMakeAStormOfRepairs) {
  // A round trip of 50 ms.
  for (int i = 0; i < 20; ++i) {
    SendBytes(1000);
    now_us_ += 50'000;
    acked_ += 1000;
    GiveBytes();
  }
  Drain(batch_);
  SendBytes(1000, 40);
  size_t again = 0;
  for (uint32_t i = 0; i < 40; ++i) {
    SendBytes(1000);
    Drain(batch_);
    now_us_ += 1000;
    wire::FrameView forged = Segment();
    Block(forged, acked_ + 40'000 + i * 1000, acked_ + 41'000 + i * 1000);
    Give(forged);
    tcp_.OnTimer(now_us_, batch_);
    again += DrainPayloads();
  }
  // 40 ms have passed.
  EXPECT_LE(again, 3u * 80) << "once in 10 ms each, no more";
}

TEST_F(ForgedSegments, TheSameSynTwiceGetsAnotherNumber) {
  tcp_.Release(flow_);
  now_us_ += 2 * 60'000'000;
  const TcpSeq first = GiveSyn();
  const wire::TcpView syn_ack = [&] {
    now_us_ += 600'000;
    wire::FrameView syn = Segment();
    syn.tcp.seq = kIsn;
    syn.tcp.flags = wire::kSyn;
    syn.tcp.ack = TcpSeq(0);
    Give(syn);
    return Drain(batch_).at(0).View().tcp;
  }();
  EXPECT_EQ(syn_ack.seq, first) << "while its place stands";
  wire::FrameView reset = Segment();
  reset.tcp.flags = wire::kRst;
  reset.tcp.seq = kIsn + 1;
  Give(reset);
  now_us_ += 1'000'000;
  const TcpSeq second = GiveSyn();
  // 64 ns a step (RFC 6528 asks for 4 µs or less).
  EXPECT_EQ(second - first, 1'600'000 * 16);
}

TEST_F(ForgedSegments, ASynThatCrossesOursDoesNotSpoilTheConnection) {
  const Endpoint local = At("192.0.2.2:7000");
  const Endpoint remote = At("192.0.2.1:443");
  tcp_.Connect({local, remote, kLink}, now_us_, batch_);
  const TcpSeq ours = Drain(batch_).at(0).View().tcp.seq;
  wire::FrameView forged = Segment();
  forged.source = remote;
  forged.destination = local;
  forged.tcp.flags = wire::kSyn;
  forged.tcp.seq = TcpSeq(77);
  Give(forged);
  Drain(batch_);
  wire::FrameView answer = forged;
  answer.tcp.flags = wire::kSyn | wire::kAck;
  answer.tcp.seq = TcpSeq(1'000'000);
  answer.tcp.ack = ours + 1;
  Give(answer);
  EXPECT_TRUE(Raised(EventType::kEstablished));
  EXPECT_EQ(Drain(batch_).at(0).View().tcp.ack, TcpSeq(1'000'001));
}

// An ack of what has just been sent makes no line look full later.
TEST_F(ForgedSegments, AnAckBeforeItsTimeIsNoRoundTrip) {
  constexpr uint16_t kPort = 41000;
  Give(Syn(kPort));
  const std::vector<Frame> answer = Drain(batch_);
  ASSERT_EQ(answer.size(), 1u);
  ack_ = answer[0].View().tcp.seq + 1;
  seq_ = seq_ + 1;
  now_us_ += 40'000;
  Give(View(wire::kAck, kPort));
  const auto event = tcp_.PopEvent();
  ASSERT_TRUE(event.has_value());
  const auto round_trip = [&](uint64_t us) {
    ASSERT_TRUE(tcp_.SendStream(event->flow, std::vector<uint8_t>(1000),
                                now_us_, batch_));
    Drain(batch_);
    ack_ = ack_ + 1000;
    now_us_ += us;
    Give(View(wire::kAck, kPort));
    Drain(batch_);
  };
  for (int i = 0; i < 20; ++i) round_trip(40'000);
  ASSERT_EQ(tcp_.LoadOf(event->flow)->floor_us(), 40'000u);
  round_trip(500);
  EXPECT_EQ(tcp_.LoadOf(event->flow)->floor_us(), 40'000u);
}

}  // namespace
}  // namespace lwt
