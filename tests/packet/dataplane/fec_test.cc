// Loss repaired on the way through two workers.
#include <algorithm>
#include <set>

#include "dataplane/wire/be.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

// Too large for two to share a record.
constexpr size_t kSize = 900;

WorkerOptions Fixed(uint8_t data, uint8_t parity) {
  WorkerOptions options = SmallWorker();
  options.tuning.fec.mode = fec::Mode::kFixed;
  options.tuning.fec.fixed = {data, parity, 1};
  options.retransmit = false;
  return options;
}

WorkerOptions Auto() {
  WorkerOptions options = SmallWorker();
  options.retransmit = false;
  return options;
}

// Of a byte of the TCP payload, and has the checksum follow (RFC 1624).
void FlipBits(Bytes& frame, size_t at, uint8_t bits) {
  constexpr size_t kChecksum = 14 + 20 + 16;
  const auto word = [&](size_t of) {
    return static_cast<uint32_t>(frame[of] << 8 | frame[of + 1]);
  };
  const size_t even = at & ~size_t{1};
  uint32_t sum = (~word(kChecksum) & 0xffff) + (~word(even) & 0xffff);
  frame[at] ^= bits;
  sum += word(even);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  frame[kChecksum] = static_cast<uint8_t>(~sum >> 8);
  frame[kChecksum + 1] = static_cast<uint8_t>(~sum);
}

class FecTest : public ::testing::Test {
 protected:
  void Use(const WorkerOptions& options) {
    pair_ = std::make_unique<GatewayPair>(options);
    pair_->Establish();
  }

  // Gives `count` packets to the client; the hub gets all frames with payload
  // but the ones named, counted from 0.
  void Send(size_t count, const std::set<size_t>& lost = {}) {
    for (size_t i = 0; i < count; ++i) {
      packets_.push_back(
          InnerUdp4(kClient, kHub, kSize, static_cast<uint8_t>(next_++)));
      ASSERT_TRUE(pair_->client.GiveToTunnel(packets_.back()));
    }
    Settle(lost);
  }
  void Settle(const std::set<size_t>& lost = {}) {
    size_t seen = 0;
    pair_->Settle([&](int direction, Bytes& frame) {
      if (direction == 1) pair_->Advance(way_back_us_);
      if (direction == 1 || frame.size() <= kOuterHeaders) return true;
      ++frames_;
      return !lost.contains(seen++);
    });
  }
  void Wait(uint64_t us) {
    pair_->Advance(us);
    Settle();
  }

  const LaneCounters& client() {
    return pair_->client.worker().lane_counters[0];
  }
  const LaneCounters& hub() { return pair_->hub.worker().lane_counters[0]; }
  std::set<Bytes> Arrived() {
    const auto packets = pair_->hub.TakeFromTunnel();
    std::set<Bytes> all(packets.begin(), packets.end());
    EXPECT_EQ(all.size(), packets.size()) << "a packet came twice";
    return all;
  }
  std::set<Bytes> Sent() const { return {packets_.begin(), packets_.end()}; }

  std::unique_ptr<GatewayPair> pair_;
  std::vector<Bytes> packets_;
  size_t next_ = 0;
  size_t frames_ = 0;
  uint64_t way_back_us_ = 0;
};

TEST_F(FecTest, LostPacketsComeBackWithoutATripThereAndBack) {
  Use(Fixed(10, 3));
  Send(10, {0, 4, 9});
  EXPECT_EQ(Arrived(), Sent());
  EXPECT_EQ(frames_, 13u);
  EXPECT_EQ(client().parities_sent.Get(), 3u);
  EXPECT_EQ(hub().parities_received.Get(), 3u);
  EXPECT_EQ(hub().shards_repaired.Get(), 3u);
  EXPECT_EQ(hub().records_lost.Get(), 3u);
  EXPECT_EQ(hub().fec_rx_data.Get(), 10u);
  EXPECT_EQ(hub().fec_rx_parity.Get(), 3u);
  EXPECT_EQ(pair_->hub.total_drops(), 0u);
}

TEST_F(FecTest, ALaneThatIsToldOfLossSendsParities) {
  Use(Auto());
  Send(5);
  EXPECT_EQ(client().fec_tx_data.Get(), 0u);
  pair_->client.mailbox().Send(TellLossCommand{{0}, 0.02});
  // Of a lane that there is none of, it is nothing.
  pair_->client.mailbox().Send(TellLossCommand{{3}, 0.02});
  pair_->client.mailbox().Send(TellLossCommand{{UINT32_MAX}, 0.02});
  Settle();
  EXPECT_EQ(client().fec_tx_data.Get(), 10u);
  Send(10, {3});
  EXPECT_EQ(hub().shards_repaired.Get(), 1u);
  EXPECT_EQ(Arrived(), Sent());
}

TEST_F(FecTest, AnotherCodeCountsForLanesThatStand) {
  Use(Auto());
  Send(5);
  Tuning tuning;
  tuning.fec.mode = fec::Mode::kFixed;
  tuning.fec.fixed = {10, 3, 1};
  pair_->client.mailbox().Send(TuneCommand{{0}, tuning});
  Settle();
  EXPECT_EQ(client().fec_tx_data.Get(), 10u);
  Send(10, {3, 4, 5});
  EXPECT_EQ(hub().shards_repaired.Get(), 3u);
  // In the middle of a group, which goes on as it began.
  Send(5);
  tuning.fec.mode = fec::Mode::kOff;
  pair_->client.mailbox().Send(TuneCommand{{0}, tuning});
  Settle();
  EXPECT_EQ(client().fec_tx_data.Get(), 0u);
  const uint64_t parities = client().parities_sent.Get();
  Send(20);
  EXPECT_LE(client().parities_sent.Get(), parities + 3);
  EXPECT_EQ(Arrived(), Sent());
}

// What is for all counts again once the peer has none of its own.
TEST_F(FecTest, ACodeOfThePeersOwnComesFirst) {
  Use(Auto());
  Send(5);
  PeerTuning own;
  own.fec = {fec::Mode::kFixed, {8, 6, 1}, 0};
  pair_->client.mailbox().Send(TuneLaneCommand{{0}, own});
  // Of a lane that there is none of, it is nothing.
  pair_->client.mailbox().Send(TuneLaneCommand{{3}, own});
  pair_->client.mailbox().Send(TuneLaneCommand{{UINT32_MAX}, own});
  Tuning tuning;
  tuning.fec.mode = fec::Mode::kOff;
  pair_->client.mailbox().Send(TuneCommand{{0}, tuning});
  Settle();
  EXPECT_EQ(client().fec_tx_data.Get(), 8u);
  EXPECT_EQ(client().fec_tx_parity.Get(), 6u);
  Send(8, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(hub().shards_repaired.Get(), 6u);
  pair_->client.mailbox().Send(TuneLaneCommand{{0}, {}});
  Settle();
  EXPECT_EQ(client().fec_tx_data.Get(), 0u);
  Send(20);
  EXPECT_EQ(Arrived(), Sent());
}

TEST_F(FecTest, WithoutLossNoParityIsOpened) {
  Use(Fixed(10, 3));
  const uint64_t before = pair_->hub.counters().records_opened.Get();
  Send(40);
  EXPECT_EQ(Arrived(), Sent());
  EXPECT_EQ(hub().parities_received.Get(), 12u);
  EXPECT_EQ(pair_->hub.counters().records_opened.Get() - before, 40u);
  EXPECT_EQ(pair_->hub.worker().inbound.decoder.store().shards_held(), 0u);
}

TEST_F(FecTest, TheTimerClosesAGroupAndALonePacketHasOneCopy) {
  Use(Fixed(10, 3));
  Send(1, {0});
  EXPECT_TRUE(Arrived().empty());
  EXPECT_EQ(pair_->client.worker().outbound.encoder.NextDeadline(),
            pair_->now_us + 2000);
  Wait(1999);
  EXPECT_EQ(client().parities_sent.Get(), 0u);
  Wait(1);
  EXPECT_EQ(client().parities_sent.Get(), 1u);
  EXPECT_EQ(Arrived(), Sent());
}

TEST_F(FecTest, SmallPacketsThatShareARecordComeBackTogether) {
  Use(Fixed(4, 1));
  std::set<Bytes> all;
  for (uint8_t record = 0; record < 4; ++record) {
    for (uint8_t i = 0; i < 5; ++i) {
      all.insert(InnerUdp4(kClient, kHub, 60 + i,
                           static_cast<uint8_t>(10 * record + i)));
    }
    for (uint8_t i = 0; i < 5; ++i) {
      ASSERT_TRUE(pair_->client.GiveToTunnel(InnerUdp4(
          kClient, kHub, 60 + i, static_cast<uint8_t>(10 * record + i))));
    }
    Settle(record == 2 ? std::set<size_t>{0} : std::set<size_t>{});
  }
  EXPECT_EQ(Arrived(), all);
  EXPECT_EQ(hub().shards_repaired.Get(), 1u);
}

TEST_F(FecTest, ReportsAndControlMessagesKeepTheGroupTogether) {
  Use(Fixed(4, 1));
  Send(2, {1});
  pair_->client.mailbox().Send(SendRecordCommand{
      {0}, static_cast<uint8_t>(wire::RecordKind::kControl), {1, 2, 3}});
  Settle();
  Send(1);
  EXPECT_EQ(Arrived(), Sent());
  EXPECT_EQ(pair_->hub.records.size(), 1u);
}

// The header's mask comes of the tag, so whoever flips bits of a record on its
// way chooses kind and number. Here a data record says that it is a parity far
// ahead.
TEST_F(FecTest, AForgedParityDoesNotMoveTheReportedLoss) {
  Use(Fixed(10, 3));
  Send(10);
  packets_.push_back(InnerUdp4(kClient, kHub, kSize, 200));
  ASSERT_TRUE(pair_->client.GiveToTunnel(packets_.back()));
  pair_->Settle([&](int direction, Bytes& frame) {
    if (direction == 1 || frame.size() <= kSize) return true;
    const size_t header = kOuterHeaders + wire::kRecordFraming;
    FlipBits(frame, header, 0x01);      // data to parity
    FlipBits(frame, header + 6, 0x04);  // 1024 more
    return true;
  });
  EXPECT_EQ(pair_->hub.drops(DropReason::kBadTag), 1u);
  Send(9);
  Wait(1'000'000);
  EXPECT_EQ(hub().records_lost.Get(), 1u) << "the one that was forged";
  EXPECT_LE(client().peer_lost.Get(), 1u);
}

TEST_F(FecTest, TooManyLossesStayLostAndAreCounted) {
  Use(Fixed(10, 2));
  Send(10, {1, 2, 3});
  EXPECT_EQ(Arrived().size(), 7u);
  Wait(400'000);
  EXPECT_EQ(hub().shards_repaired.Get(), 0u);
  EXPECT_EQ(hub().shards_unrepaired.Get(), 3u);
}

TEST_F(FecTest, RetransmissionBringsWhatFecCouldNot) {
  WorkerOptions options = Fixed(10, 2);
  options.retransmit = true;
  Use(options);
  // A round trip is what tells sent again from reordered.
  way_back_us_ = 10'000;
  Send(10, {1, 2, 3});
  for (int i = 0; i < 100 && hub().records_resent.Get() < 1; ++i) {
    Wait(10'000);
  }
  // One more shard makes the two others repairable.
  EXPECT_EQ(Arrived(), Sent());
  EXPECT_GE(hub().records_resent.Get(), 1u);
  EXPECT_EQ(hub().records_lost.Get(), 3u);
  EXPECT_GE(client().retransmitted_segments.Get() +
                hub().shards_repaired.Get() + hub().records_resent.Get(),
            3u);
}

// Of four that are lost two come late, one after the other, on a line that is
// full: what tells their senders of it changes nothing of what the two others
// are reckoned from.
TEST_F(FecTest, WhatComesLateOnAFullLineLeavesTheOthersWhole) {
  WorkerOptions options = Fixed(10, 2);
  options.retransmit = true;
  Use(options);
  // A measured round trip is what tells sent again from reordered.
  way_back_us_ = 10'000;
  Send(10);
  ASSERT_EQ(Arrived(), Sent());
  packets_.clear();
  for (size_t i = 0; i < 10; ++i) {
    packets_.push_back(
        InnerUdp4(kClient, kHub, kSize, static_cast<uint8_t>(next_++)));
    packets_.back()[1] |= 2;                            // ECT(0)
    std::fill_n(&packets_.back()[20], 4, uint8_t{9});   // one flow's ports
    wire::StoreBe16(&packets_.back()[24], kSize - 20);  // UDP's length
    ASSERT_TRUE(pair_->client.GiveToTunnel(packets_.back()));
  }
  const std::set<size_t> lost = {1, 2, 3, 4};
  std::vector<Bytes> late;
  size_t seen = 0;
  pair_->Settle([&](int direction, Bytes& frame) {
    if (direction == 1 || frame.size() <= kOuterHeaders) return true;
    const size_t at = seen++;
    if (lost.contains(at)) late.push_back(frame);
    // Nothing is sent again.
    return at < 12 && !lost.contains(at);
  });
  ASSERT_EQ(late.size(), 4u);
  EXPECT_EQ(Arrived().size(), 6u);
  for (const size_t each : {0, 1}) {
    pair_->Advance(100'000);
    pair_->hub.worker().lanes[0].receive.line_full = true;
    ASSERT_TRUE(pair_->hub.GiveToUplink(late[each]));
    pair_->hub.RunAt(pair_->now_us);
  }
  EXPECT_GE(hub().losses_shown.Get(), 1u);
  EXPECT_EQ(hub().shards_repaired.Get(), 2u);
  const std::set<Bytes> arrived = Arrived();
  EXPECT_TRUE(arrived.contains(packets_[3]));
  EXPECT_TRUE(arrived.contains(packets_[4]));
}

TEST_F(FecTest, AutoAddsNothingOnACleanLink) {
  Use(Auto());
  for (int i = 0; i < 20; ++i) {
    Send(50);
    Wait(100'000);
  }
  EXPECT_EQ(client().parities_sent.Get(), 0u);
  EXPECT_EQ(frames_, 1000u);
  EXPECT_EQ(client().fec_tx_data.Get(), 0u);
}

TEST_F(FecTest, AutoAnswersLossWithinTwoSeconds) {
  Use(Auto());
  for (int i = 0; i < 10; ++i) {
    Send(100);
    Wait(100'000);
  }
  for (int i = 0; i < 20; ++i) {
    Send(100, {7, 30, 55, 71, 90});
    Wait(100'000);
  }
  EXPECT_EQ(client().fec_tx_data.Get(), 10u);
  EXPECT_GE(client().fec_tx_parity.Get(), 3u);
  EXPECT_GT(client().peer_lost.Get(), 20u);
  Arrived();
  packets_.clear();
  Send(10, {3, 8});
  EXPECT_EQ(Arrived(), Sent());
}

TEST_F(FecTest, OffStaysOff) {
  WorkerOptions options = Auto();
  options.tuning.fec.mode = fec::Mode::kOff;
  Use(options);
  for (int i = 0; i < 20; ++i) {
    Send(50, {1, 2, 3});
    Wait(100'000);
  }
  EXPECT_EQ(client().parities_sent.Get(), 0u);
  EXPECT_GT(client().peer_lost.Get(), 0u);
}

// A report is a packet, and takes a copy too.
TEST_F(FecTest, LonePacketsAreNotWorthAReport) {
  Use(Fixed(10, 3));
  const uint64_t before = hub().records_sealed.Get();
  const auto ping = [this] {
    Send(1);
    // So that ACKs leave in time.
    for (int i = 0; i < 6; ++i) Wait(50'000);
  };
  for (int i = 0; i < 30; ++i) ping();
  EXPECT_EQ(client().parities_sent.Get(), 30u);
  EXPECT_EQ(frames_, 60u);
  EXPECT_EQ(hub().records_sealed.Get(), before);
  for (int i = 0; i < 10; ++i) ping();
  EXPECT_EQ(hub().records_sealed.Get(), before + 1);
}

// The peer learns of times without loss too, for a while, so that its policy
// can tell a full link from a bad one.
TEST_F(FecTest, AfterALossTimesWithoutAreReportedForAWhile) {
  WorkerOptions options = Auto();
  options.tuning.fec.mode = fec::Mode::kOff;
  Use(options);
  Send(100, {50});
  uint64_t last = pair_->client.counters().reports_received.Get();
  for (int i = 0; i < 10; ++i) {
    Wait(400'000);
    Send(100);
    const uint64_t now = pair_->client.counters().reports_received.Get();
    EXPECT_EQ(now, last + 1) << i;
    last = now;
  }
  Wait(2'000'000);
  Send(100);
  EXPECT_EQ(pair_->client.counters().reports_received.Get(), last);
}

TEST_F(FecTest, EachLossIsCountedByWhatRepairedIt) {
  WorkerOptions options = Fixed(10, 2);
  options.retransmit = true;
  Use(options);
  way_back_us_ = 10'000;
  // One for FEC; three that are too many for it, and a parity that is lost but
  // not needed.
  Send(10, {4});
  EXPECT_EQ(hub().shards_repaired.Get(), 1u);
  EXPECT_EQ(hub().records_resent.Get(), 0u);
  Send(10, {1, 2, 3});
  Send(10, {10});
  for (int i = 0; i < 100 && Arrived().empty(); ++i) Wait(10'000);
  for (int i = 0; i < 100; ++i) Wait(10'000);
  EXPECT_EQ(hub().records_lost.Get(), 5u);
  EXPECT_EQ(hub().shards_repaired.Get() + hub().records_resent.Get(), 4u);
  EXPECT_GE(hub().records_resent.Get(), 1u);
  EXPECT_EQ(hub().shards_unrepaired.Get(), 0u);
  EXPECT_EQ(client().parities_sent.Get(), 6u);
  EXPECT_GE(hub().parities_received.Get(), 6u);
  EXPECT_EQ(client().fec_tx_data.Get(), 10u);
  EXPECT_EQ(client().fec_tx_parity.Get(), 2u);
  EXPECT_EQ(hub().fec_rx_data.Get(), 10u);
  EXPECT_EQ(hub().fec_rx_parity.Get(), 2u);
}

TEST_F(FecTest, ParitiesTakeNoMoreThanThePeersWindow) {
  Use(Fixed(1, 8));
  // The hub answers nothing, so that its window fills.
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(pair_->client.GiveToTunnel(InnerUdp4(kClient, kHub, kSize)));
    pair_->client.RunAt(pair_->now_us);
    pair_->client.TakeFromUplink();
  }
  EXPECT_GT(pair_->client.drops(DropReason::kParityUnsent), 0u);
}

TEST_F(FecTest, AnAbsurdGroupIsACountedDrop) {
  Use(Fixed(4, 2));
  pair_->client.mailbox().Send(SendRecordCommand{
      {0}, static_cast<uint8_t>(wire::RecordKind::kParity), Bytes(100, 7)});
  pair_->Settle();
  EXPECT_EQ(pair_->hub.drops(DropReason::kBadGroup), 1u);
  EXPECT_EQ(pair_->hub.total_drops(), 1u);
}

TEST_F(FecTest, ALaneThatGoesGivesItsBuffersBack) {
  const unsigned before = rte_mempool_avail_count(TestPool());
  Use(Fixed(10, 3));
  Send(5, {2});
  pair_->client.mailbox().Send(RemoveLaneCommand{{0}, true});
  pair_->hub.mailbox().Send(RemoveLaneCommand{{0}, true});
  Settle();
  EXPECT_EQ(pair_->client.worker().outbound.encoder.open_blocks(), 0u);
  EXPECT_EQ(pair_->hub.worker().inbound.decoder.store().shards_held(), 0u);
  Arrived();
  pair_.reset();
  EXPECT_EQ(rte_mempool_avail_count(TestPool()), before);
}

}  // namespace
}  // namespace lwt::testing
