#include <algorithm>
#include <set>

#include "dataplane/wire/record.h"
#include "dataplane/wire/tcp.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

class TrafficTest : public ::testing::Test {
 protected:
  void SetUp() override { pair_.Establish(); }

  GatewayPair pair_;
};

TEST_F(TrafficTest, CarriesPacketsBothWays) {
  const Bytes up = InnerUdp4(kClient, kHub, 100, 0xaa);
  const Bytes down = InnerUdp4(kHub, kClient, 1409, 0xbb);
  ASSERT_TRUE(pair_.client.GiveToTunnel(up));
  ASSERT_TRUE(pair_.hub.GiveToTunnel(down));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{up});
  EXPECT_EQ(pair_.client.TakeFromTunnel(), std::vector<Bytes>{down});
  EXPECT_EQ(pair_.client.total_drops(), 0u);
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

// A forged ACK while a flow is being opened is a hint; the answer that control
// waits for comes later, and has to be known as one.
TEST_F(TrafficTest, AHintDoesNotTakeTheAnswerOfAConnect) {
  constexpr uint32_t kToken = 77;
  pair_.client.mailbox().Send(
      ConnectCommand{kToken, *ParseEndpoint("192.0.2.1:41000"),
                     *ParseEndpoint("192.0.2.2:9000"), TestLink()});
  int synacks = 0;
  pair_.Settle([&](int direction, Bytes& frame) {
    if (direction == 0 || ++synacks != 1) return true;
    frame[14 + 20 + 8] ^= 1;  // acknowledges what was never sent
    // The port vouches for the checksum.
    EXPECT_TRUE(pair_.client.GiveToUplink(frame, /*merged=*/true));
    return false;
  });
  ASSERT_EQ(pair_.client.events.size(), 1u);
  EXPECT_EQ(pair_.client.events[0].kind, EventKind::kResetHint);
  pair_.Advance(1'100'000);
  pair_.Settle();
  ASSERT_GE(pair_.client.events.size(), 2u);
  EXPECT_EQ(pair_.client.events[1].kind, EventKind::kFlowUp);
  EXPECT_EQ(pair_.client.events[1].token, kToken);
}

TEST_F(TrafficTest, CarriesIpv6) {
  const Bytes up = InnerUdp6("fd00::2", "fd00::1", 1280, 7);
  ASSERT_TRUE(pair_.client.GiveToTunnel(up));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{up});
}

TEST_F(TrafficTest, LargestPacketFillsTheLinkExactly) {
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 1409)));
  size_t largest = 0;
  pair_.Settle([&](int, Bytes& frame) {
    largest = std::max(largest, frame.size());
    return true;
  });
  EXPECT_EQ(largest, 14u + 1500u);
}

TEST_F(TrafficTest, SmallPacketsOfOneBurstShareARecord) {
  std::vector<Bytes> packets;
  for (uint8_t i = 0; i < 10; ++i) {
    packets.push_back(InnerUdp4(kClient, kHub, 60, i));
    ASSERT_TRUE(pair_.client.GiveToTunnel(packets.back()));
  }
  const uint64_t before = pair_.client.counters().records_sealed.Get();
  pair_.Settle();
  EXPECT_EQ(pair_.client.counters().records_sealed.Get() - before, 1u);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), packets);
}

TEST_F(TrafficTest, NothingInsideIsReadableOutside) {
  const Bytes packet = InnerUdp4(kClient, kHub, 400, 0x5a);
  const Bytes needle(16, 0x5a);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  pair_.Settle([&](int, Bytes& frame) {
    EXPECT_EQ(
        std::search(frame.begin(), frame.end(), needle.begin(), needle.end()),
        frame.end());
    return true;
  });
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
}

TEST_F(TrafficTest, MergedFrameIsSplitIntoItsRecords) {
  std::vector<Bytes> packets;
  for (uint8_t i = 0; i < 40; ++i) {
    packets.push_back(InnerUdp4(kClient, kHub, 1400, i));
    ASSERT_TRUE(pair_.client.GiveToTunnel(packets.back()));
  }
  // What GRO does: one header, all payloads, the lengths put right.
  pair_.client.RunAt(pair_.now_us);
  Bytes merged;
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    if (frame.size() <= kOuterHeaders) continue;
    const auto from = merged.empty()
                          ? frame.begin()
                          : frame.begin() + static_cast<int>(kOuterHeaders);
    merged.insert(merged.end(), from, frame.end());
  }
  const auto total = static_cast<uint16_t>(merged.size() - 14);
  const uint16_t old_length =
      static_cast<uint16_t>(merged[16] << 8 | merged[17]);
  merged[16] = static_cast<uint8_t>(total >> 8);
  merged[17] = static_cast<uint8_t>(total);
  uint32_t sum =
      static_cast<uint32_t>(~(merged[24] << 8 | merged[25]) & 0xffff);
  sum += total + (~old_length & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  merged[24] = static_cast<uint8_t>(~sum >> 8);
  merged[25] = static_cast<uint8_t>(~sum);
  ASSERT_GT(merged.size(), 40u * 1400u);
  pair_.hub.TakeFromUplink();
  ASSERT_TRUE(pair_.hub.GiveToUplink(merged, /*merged=*/true));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.counters().uplink_rx_merged.Get(), 1u);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), packets);
}

// The burst leaves as super-frames; on the wire they are the same segments.
TEST(SuperFrameTrafficTest, BurstLeavesAsSuperFrames) {
  GatewayPair pair(SmallWorker(), RingPorts(/*segments=*/true),
                   RingPorts(/*segments=*/true));
  pair.Establish();
  std::vector<Bytes> packets;
  for (uint8_t i = 0; i < 40; ++i) {
    packets.push_back(InnerUdp4(kClient, kHub, i % 20 == 19 ? 700 : 1400, i));
    ASSERT_TRUE(pair.client.GiveToTunnel(packets.back()));
  }
  const auto& counters = pair.client.counters();
  const uint64_t frames = counters.uplink_tx_frames.Get();
  size_t segments = 0;
  pair.client.RunAt(pair.now_us);
  EXPECT_EQ(counters.uplink_tx_super_frames.Get(), 2u);
  EXPECT_EQ(counters.uplink_tx_frames.Get() - frames, 2u);
  EXPECT_EQ(counters.records_sealed.Get(), 40u);
  pair.Settle([&segments](int direction, Bytes& frame) {
    segments += direction == 0 && frame.size() > kOuterHeaders ? 1 : 0;
    return true;
  });
  EXPECT_EQ(segments, 40u);
  EXPECT_EQ(pair.hub.TakeFromTunnel(), packets);
  EXPECT_EQ(pair.client.total_drops(), 0u);
  EXPECT_EQ(pair.hub.total_drops(), 0u);
}

TEST_F(TrafficTest, ControlRecordsReachControlAndNoOneElse) {
  pair_.client.mailbox().Send(SendRecordCommand{
      {0}, static_cast<uint8_t>(wire::RecordKind::kControl), {9, 8, 7}});
  pair_.Settle();
  ASSERT_EQ(pair_.hub.records.size(), 1u);
  EXPECT_EQ(pair_.hub.records[0].second, (Bytes{9, 8, 7}));
  EXPECT_TRUE(pair_.hub.TakeFromTunnel().empty());
}

TEST_F(TrafficTest, ProbeIsAnsweredByTheOtherWorker) {
  pair_.client.mailbox().Send(ProbeLaneCommand{{0}, 4711});
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    pair_.hub.GiveToUplink(frame);
  }
  pair_.Advance(1500);
  pair_.Settle();
  ASSERT_EQ(pair_.client.events.size(), 1u);
  EXPECT_EQ(pair_.client.events[0].kind, EventKind::kReportAnswer);
  EXPECT_EQ(pair_.client.events[0].token, 4711u);
  EXPECT_EQ(pair_.client.events[0].value, 1500u);
}

TEST_F(TrafficTest, NewEpochTakesOverWithoutLoss) {
  for (uint32_t epoch = 1; epoch <= 9; ++epoch) {
    pair_.hub.mailbox().Send(
        InstallReceiveEpochCommand{{0}, TestKeys(0, epoch)});
    pair_.hub.RunAt(pair_.now_us);
    pair_.client.mailbox().Send(
        SwitchSendEpochCommand{{0}, TestKeys(0, epoch)});
    const Bytes packet =
        InnerUdp4(kClient, kHub, 200, static_cast<uint8_t>(epoch));
    ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
    pair_.Settle();
    EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
    EXPECT_EQ(pair_.hub.worker().lane_counters[0].highest_receive_epoch.Get(),
              epoch);
  }
  EXPECT_EQ(pair_.hub.total_drops(), 0u);
}

TEST_F(TrafficTest, RetiredEpochIsRefused) {
  pair_.hub.mailbox().Send(RetireReceiveEpochCommand{{0}, 0});
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.drops(DropReason::kUnknownEpoch), 1u);
}

TEST_F(TrafficTest, ReinjectedStreamBytesAreTakenAsRecords) {
  // The hub's worker gets a record as if control had held its bytes.
  const Bytes packet = InnerUdp4(kClient, kHub, 100, 3);
  ASSERT_TRUE(pair_.client.GiveToTunnel(packet));
  pair_.client.RunAt(pair_.now_us);
  const auto frames = pair_.client.TakeFromUplink();
  ASSERT_FALSE(frames.empty());
  const Bytes& frame = frames.back();
  pair_.hub.mailbox().Send(ReinjectCommand{
      pair_.hub_flow, 0, {frame.begin() + kOuterHeaders, frame.end()}});
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.TakeFromTunnel(), std::vector<Bytes>{packet});
}

// A prober who waited for the rest of an answer would wait for ever.
TEST_F(TrafficTest, AStreamThatCannotGoOnEndsWithAFin) {
  pair_.client.mailbox().Send(
      ConnectCommand{8, *ParseEndpoint("192.0.2.1:40001"),
                     *ParseEndpoint("192.0.2.2:9000"), TestLink()});
  pair_.Settle();
  ASSERT_FALSE(pair_.client.events.empty());
  const FlowId client_flow = pair_.client.events.back().flow;
  pair_.client.mailbox().Send(SendStreamCommand{client_flow, {1}});
  pair_.Settle();
  ASSERT_FALSE(pair_.hub.punted.empty());
  const FlowId flow = pair_.hub.punted.back().flow;
  pair_.hub.mailbox().Send(SpliceCommand{flow});
  pair_.hub.mailbox().Send(SendStreamCommand{flow, Bytes(100, 2)});
  pair_.Settle();
  pair_.hub.events.clear();
  pair_.client.events.clear();
  // More than any window of the first round trip.
  pair_.hub.mailbox().Send(SendStreamCommand{flow, Bytes(1 << 20, 3)});
  int fins = 0;
  pair_.Settle([&fins](int direction, Bytes& frame) {
    fins += direction == 1 && (frame[14 + 20 + 13] & wire::kFin) != 0 ? 1 : 0;
    return true;
  });
  EXPECT_EQ(fins, 1);
  ASSERT_FALSE(pair_.hub.events.empty());
  EXPECT_EQ(pair_.hub.events[0].kind, EventKind::kFlowDown);
  EXPECT_EQ(pair_.hub.events[0].flow, flow);
  EXPECT_EQ(pair_.hub.counters().streams_broken.Get(), 1u);
  ASSERT_FALSE(pair_.client.events.empty());
  EXPECT_EQ(pair_.client.events[0].kind, EventKind::kFlowDown);
  EXPECT_EQ(pair_.client.events[0].flow, client_flow);
}

// Every other segment is lost for good: more holes than a list has places for.
TEST_F(TrafficTest, ALongListOfHolesIsCounted) {
  std::set<uint32_t> seen;
  std::set<uint32_t> lost;
  const auto lose = [&](int direction, Bytes& frame) {
    if (direction == 1 || frame.size() <= kOuterHeaders) return true;
    const uint32_t seq = wire::LoadBe32(&frame[14 + 20 + 4]);
    if (seen.insert(seq).second && seen.size() % 2 == 0) lost.insert(seq);
    return !lost.contains(seq);
  };
  pair_.Settle(lose);
  EXPECT_EQ(pair_.hub.counters().long_lists.Get(), 0u);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
    pair_.Settle(lose);
  }
  pair_.Advance(20'000);
  pair_.Settle(lose);
  EXPECT_GT(lost.size(), 60u);
  EXPECT_EQ(pair_.hub.counters().long_lists.Get(), 1u);
  EXPECT_EQ(pair_.client.counters().long_lists.Get(), 0u);
}

TEST_F(TrafficTest, EveryBufferComesBack) {
  const unsigned before = rte_mempool_avail_count(TestPool());
  for (int round = 0; round < 50; ++round) {
    for (uint8_t i = 0; i < 20; ++i) {
      pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 60 + 60u * i, i));
      pair_.hub.GiveToTunnel(InnerUdp4(kHub, kClient, 1300, i));
    }
    pair_.Settle();
    pair_.Advance(50'000);
    pair_.hub.TakeFromTunnel();
    pair_.client.TakeFromTunnel();
  }
  EXPECT_EQ(rte_mempool_avail_count(TestPool()), before);
}

}  // namespace
}  // namespace lwt::testing
