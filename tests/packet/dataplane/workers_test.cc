// A hub of two workers: worker 0 has the lane to the client, and frames and
// packets come to worker 1.
#include <gtest/gtest.h>

#include "dataplane/exchange/handoff.h"
#include "dataplane/wire/be.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

const Endpoint kHubEndpoint = *ParseEndpoint("192.0.2.2:9000");
const Endpoint kClientEndpoint = *ParseEndpoint("192.0.2.1:40000");

WorkerOptions HubWorker(uint32_t index, Handoff& handoff) {
  WorkerOptions options = SmallWorker();
  options.index = {index};
  options.handoff = &handoff;
  options.answers_strays = true;
  return options;
}

std::unique_ptr<Handoff> MakeHandoff() {
  StartTestEal();
  static int count = 0;
  return Handoff::Create("wt" + std::to_string(count++), 2);
}

class WorkersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    handoff_->Attach({0}, &pair_.hub.mailbox());
    handoff_->Attach({1}, &other_.mailbox());
    pair_.Establish();
    other_.mailbox().Send(ListenCommand{{kHubEndpoint}});
    Publish([](Snapshot&) {});
  }

  // What control publishes to both workers of the hub.
  template <typename Change>
  void Publish(const Change& change) {
    for (Mailbox* mailbox : {&pair_.hub.mailbox(), &other_.mailbox()}) {
      auto snapshot = OnePeer({"10.0.0.2/32"});
      snapshot->flows =
          FlowDirectory({{FlowKey::Of(kHubEndpoint, kClientEndpoint), {0}}});
      change(*snapshot);
      mailbox->Publish(std::move(snapshot));
    }
  }

  // Frames of the client come to worker 1 until nothing moves.
  void SettleByOther() {
    bool moved = true;
    while (moved) {
      moved = false;
      pair_.Settle([&](int direction, Bytes& frame) {
        if (direction != 0) return true;
        EXPECT_TRUE(other_.GiveToUplink(frame));
        moved = true;
        return false;
      });
      other_.RunAt(pair_.now_us);
      moved = moved || other_.worker().worked;
    }
  }
  uint64_t handed(const Node& node) {
    return node.counters().handed_over.Get();
  }
  uint64_t taken(const Node& node) { return node.counters().taken_over.Get(); }

  std::unique_ptr<Handoff> handoff_ = MakeHandoff();
  GatewayPair pair_{SmallWorker(), HubWorker(0, *handoff_), RingPorts(),
                    RingPorts()};
  Node other_{"o", HubWorker(1, *handoff_), RingPorts()};
};

TEST_F(WorkersTest, FramesGoToTheWorkerThatHasTheFlow) {
  std::vector<Bytes> sent;
  for (uint8_t i = 0; i < 50; ++i) {
    sent.push_back(InnerUdp4(kClient, kHub, 1000, i));
    ASSERT_TRUE(pair_.client.GiveToTunnel(sent.back()));
  }
  SettleByOther();
  EXPECT_TRUE(pair_.hub.TakeFromTunnel() == sent);
  EXPECT_GE(handed(other_), 50u);
  EXPECT_EQ(taken(pair_.hub), handed(other_));
  EXPECT_EQ(pair_.hub.total_drops() + other_.total_drops(), 0u);
  EXPECT_EQ(other_.counters().records_opened.Get(), 0u);
}

TEST_F(WorkersTest, AFrameOfNobodysFlowIsDroppedWhereItCame) {
  Publish([](Snapshot& snapshot) { snapshot.flows = FlowDirectory(); });
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    ASSERT_TRUE(other_.GiveToUplink(frame));
  }
  other_.RunAt(pair_.now_us);
  EXPECT_EQ(other_.drops(DropReason::kNoFlow), 1u);
  EXPECT_EQ(handed(other_), 0u);
  // Nobody knows of it, so it is answered as a closed connection.
  EXPECT_EQ(other_.counters().strays_reset.Get(), 1u);
  EXPECT_EQ(other_.TakeFromUplink().size(), 1u);
}

TEST_F(WorkersTest, AFlowThatTheDirectoryKnowsIsNeverReset) {
  // The owner has forgotten it a moment before the directory does.
  pair_.hub.mailbox().Send(RemoveLaneCommand{{0}, /*close_flow=*/false});
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.client.RunAt(pair_.now_us);
  const std::vector<Bytes> frames = pair_.client.TakeFromUplink();
  ASSERT_EQ(frames.size(), 1u);
  ASSERT_TRUE(other_.GiveToUplink(frames[0]));
  ASSERT_TRUE(pair_.hub.GiveToUplink(frames[0]));
  other_.RunAt(pair_.now_us);
  pair_.hub.RunAt(pair_.now_us);
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoFlow), 2u);
  for (const Node* node : {&pair_.hub, &other_}) {
    EXPECT_EQ(node->counters().strays_reset.Get(), 0u);
  }
  // Nor is it by the worker that had it, once the directory has forgotten too.
  Publish([](Snapshot& snapshot) { snapshot.flows = FlowDirectory(); });
  ASSERT_TRUE(pair_.hub.GiveToUplink(frames[0]));
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoFlow), 3u);
  EXPECT_EQ(pair_.hub.counters().strays_reset.Get(), 0u);
}

TEST_F(WorkersTest, AFrameWhoseFlowIsGoneIsNotHandedBack) {
  pair_.hub.mailbox().Send(RemoveLaneCommand{{0}, /*close_flow=*/false});
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, kHub, 100)));
  pair_.client.RunAt(pair_.now_us);
  for (const Bytes& frame : pair_.client.TakeFromUplink()) {
    ASSERT_TRUE(other_.GiveToUplink(frame));
  }
  other_.RunAt(pair_.now_us);
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(handed(other_), 1u);
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoFlow), 1u);
  EXPECT_EQ(handed(pair_.hub), 0u);
}

TEST_F(WorkersTest, ASynIsForTheWorkerItComesTo) {
  pair_.client.mailbox().Send(ConnectCommand{
      9, *ParseEndpoint("192.0.2.1:40009"), kHubEndpoint, wire::LinkHeader{}});
  pair_.client.RunAt(pair_.now_us);
  // Without a link header; the hub's ring wants one.
  for (Bytes frame : pair_.client.TakeFromUplink()) {
    const uint8_t link[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
    frame.insert(frame.begin(), std::begin(link), std::end(link));
    ASSERT_TRUE(other_.GiveToUplink(frame));
  }
  other_.RunAt(pair_.now_us);
  EXPECT_EQ(other_.TakeFromUplink().size(), 1u) << "its SYN-ACK";
  EXPECT_EQ(handed(other_), 0u);
}

TEST_F(WorkersTest, PacketsGoToAWorkerThatHasALaneAndKeepTheirOrder) {
  std::vector<Bytes> sent;
  std::vector<Bytes> received;
  for (uint32_t i = 0; i < 400; ++i) {
    sent.push_back(InnerUdp4(kHub, kClient, 100 + i));
    ASSERT_TRUE(other_.GiveToTunnel(sent.back()));
    if (i % 50 != 49) continue;
    other_.RunAt(pair_.now_us);
    pair_.Settle();
    for (Bytes& packet : pair_.client.TakeFromTunnel()) {
      received.push_back(std::move(packet));
    }
  }
  EXPECT_TRUE(received == sent) << received.size();
  EXPECT_EQ(handed(other_), 400u);
  EXPECT_EQ(taken(pair_.hub), 400u);
  EXPECT_EQ(pair_.hub.total_drops() + other_.total_drops(), 0u);
}

TEST_F(WorkersTest, APeerWithoutALaneIsSaidAtOnce) {
  Publish([](Snapshot& snapshot) {
    snapshot.peers[0] = SnapshotPeer();
    snapshot.peers[0].inner_mtu = 1400;
  });
  ASSERT_TRUE(other_.GiveToTunnel(InnerUdp4(kHub, kClient, 100)));
  other_.RunAt(pair_.now_us);
  EXPECT_EQ(other_.drops(DropReason::kNoLane), 1u);
  EXPECT_EQ(handed(other_), 0u);
}

// Its lane went while the packet was on its way.
TEST_F(WorkersTest, AHandedPacketIsNotHandedOn) {
  ASSERT_TRUE(other_.GiveToTunnel(InnerUdp4(kHub, kClient, 100)));
  other_.RunAt(pair_.now_us);
  Publish([](Snapshot& snapshot) {
    snapshot.peers[0] = SnapshotPeer();
    snapshot.peers[0].inner_mtu = 1400;
    snapshot.peers[0].SetLane({1}, {0});
  });
  pair_.hub.RunAt(pair_.now_us);
  EXPECT_EQ(pair_.hub.drops(DropReason::kNoLane), 1u);
  EXPECT_EQ(handed(pair_.hub), 0u);
}

TEST_F(WorkersTest, HandoffFull) {
  uint64_t given = 0;
  while (other_.drops(DropReason::kHandoffFull) == 0 && given < 2000) {
    ASSERT_TRUE(other_.GiveToTunnel(InnerUdp4(kHub, kClient, 100)));
    ++given;
    other_.RunAt(pair_.now_us);
  }
  EXPECT_EQ(given, Handoff::kSlots);
  EXPECT_EQ(handed(other_), Handoff::kSlots - 1);
}

// From one client to another whose only lane the other worker has.
TEST_F(WorkersTest, ForwardsBetweenPeersOfTwoWorkers) {
  Publish([](Snapshot& snapshot) {
    snapshot.forward_between_peers = true;
    snapshot.routes = RouteTable({{*ParseIpPrefix("10.0.0.2/32"), {0}},
                                  {*ParseIpPrefix("10.0.0.3/32"), {1}}});
    snapshot.peers.push_back(SnapshotPeer());
    snapshot.peers[1].inner_mtu = 1400;
    snapshot.peers[1].SetLane({1}, {0});
  });
  ASSERT_TRUE(pair_.client.GiveToTunnel(InnerUdp4(kClient, "10.0.0.3", 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.hub.counters().forwarded_packets.Get(), 1u);
  EXPECT_EQ(handed(pair_.hub), 1u);
  other_.RunAt(pair_.now_us);
  EXPECT_EQ(taken(other_), 1u);
  // It has the packet, and no flow for that lane in this test.
  EXPECT_EQ(other_.drops(DropReason::kNoLane), 1u);
}

// Each sends on its own lane where it has one.
TEST_F(WorkersTest, NothingIsHandedOverWithALaneOfOnesOwn) {
  Publish([](Snapshot& snapshot) { snapshot.peers[0].SetLane({1}, {0}); });
  ASSERT_TRUE(pair_.hub.GiveToTunnel(InnerUdp4(kHub, kClient, 100)));
  pair_.Settle();
  EXPECT_EQ(pair_.client.TakeFromTunnel().size(), 1u);
  EXPECT_EQ(handed(pair_.hub), 0u);
}

}  // namespace
}  // namespace lwt::testing
