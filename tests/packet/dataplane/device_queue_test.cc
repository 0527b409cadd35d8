// A worker that is behind what the tunnel device brings: who sends little does
// not stand behind who sends all it can.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/stages/stages.h"
#include "dataplane/wire/inner_transport.h"
#include "tests/packet/dataplane/fake_tunnel.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::testing {
namespace {

constexpr size_t kBulkSegment = 1348;
constexpr size_t kBulkSegments = 40;  // of a super-frame
constexpr uint16_t kBulkPort = 4000;
constexpr uint16_t kOtherPort = 4001;

class DeviceQueueTest : public ::testing::Test {
 protected:
  DeviceQueueTest() {
    NodePorts ports = RingPorts();
    auto tunnel = std::make_unique<FakeTunnel>();
    tunnel_ = tunnel.get();
    ports.tunnel = std::move(tunnel);
    node_ = std::make_unique<Node>("d", SmallWorker(), std::move(ports));
    buffers_ = rte_mempool_avail_count(TestPool());
  }
  ~DeviceQueueTest() override {
    while (Turn() > 0) {
    }
    EXPECT_EQ(rte_mempool_avail_count(TestPool()), buffers_);
  }

  Worker& worker() { return node_->worker(); }

  void GiveSuper(uint16_t port, uint8_t ecn = 0) {
    InnerSpec spec;
    spec.port = port;
    spec.payload = kBulkSegments * kBulkSegment;
    Bytes& super = made_[{port, ecn}];
    if (super.empty()) {
      super = MakeInner(spec);
      super[1] = ecn;
      Unfinish(super, IpSize(spec), /*udp=*/false);
    }
    tunnel_->GiveChain(TestPool(), super, IpSize(spec), HeaderSize(spec),
                       /*udp=*/false, kBulkSegment);
  }
  void GivePacket(uint16_t port) {
    InnerSpec spec;
    spec.port = port;
    tunnel_->Give(TestPool(), MakeInner(spec));
  }
  static uint16_t PortOf(const Frame& frame) {
    const auto transport =
        wire::ParseInnerTransport({frame.data, frame.length});
    const size_t at = transport ? transport->ip_size : 20;
    return static_cast<uint16_t>(frame.data[at] << 8 | frame.data[at + 1]);
  }

  // One turn of the worker; returns how many packets it took. Their ports, in
  // order, are in ports_.
  size_t Turn() {
    worker().now_us = now_us_ += turn_us_;
    ports_.clear();
    marked_ = 0;
    Collect(worker(), worker().outbound.packets);
    Split(worker(), worker().outbound.packets, worker().outbound.split);
    for (const Frame& frame : worker().outbound.split.frames()) {
      ports_.push_back(PortOf(frame));
      marked_ += (frame.data[1] & 3) == 3 ? 1 : 0;
      rte_pktmbuf_free(frame.mbuf);
    }
    worker().outbound.split.Clear();
    return ports_.size();
  }
  // A bulk transfer of four super-frames more than a turn takes.
  void FallBehind(int turns, uint8_t ecn = 0) {
    for (int i = 0; i < turns; ++i) {
      for (int j = 0; j < 10; ++j) GiveSuper(kBulkPort, ecn);
      Turn();
    }
  }
  bool Took(uint16_t port) const {
    return std::find(ports_.begin(), ports_.end(), port) != ports_.end();
  }

  uint64_t now_us_ = 1'000'000;
  uint64_t turn_us_ = 500;
  std::map<std::pair<uint16_t, uint8_t>, Bytes> made_;
  FakeTunnel* tunnel_ = nullptr;
  std::unique_ptr<Node> node_;
  std::vector<uint16_t> ports_;
  size_t marked_ = 0;
  unsigned buffers_ = 0;
};

TEST_F(DeviceQueueTest, APingIsNotBehindABulkTransfer) {
  FallBehind(20);
  GivePacket(kOtherPort);
  Turn();
  if (!Took(kOtherPort)) Turn();  // behind what was read one by one
  EXPECT_TRUE(Took(kOtherPort));
  EXPECT_FALSE(worker().outbound.device_queue.empty());
}

TEST_F(DeviceQueueTest, WithoutATurnOfDelayNothingIsReadAhead) {
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 6; ++j) GiveSuper(kBulkPort);
    Turn();
    EXPECT_TRUE(worker().outbound.device_queue.empty());
  }
  EXPECT_EQ(node_->total_drops(), 0u);
}

// Nor by a burst that is over soon.
TEST_F(DeviceQueueTest, AShortBurstGoesInOrder) {
  for (int j = 0; j < 18; ++j) GiveSuper(kBulkPort);
  GivePacket(kOtherPort);
  for (int i = 0; i < 3; ++i) {
    Turn();
    EXPECT_TRUE(worker().outbound.device_queue.empty());
  }
  EXPECT_EQ(ports_.back(), kOtherPort);
}

TEST_F(DeviceQueueTest, TwoTransfersShareWhatIsDone) {
  FallBehind(20);
  std::array<size_t, 2> taken = {};
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < 8; ++j) GiveSuper(kBulkPort);
    for (int j = 0; j < 4; ++j) GiveSuper(kOtherPort);
    Turn();
    for (const uint16_t port : ports_) ++taken[port == kBulkPort ? 0 : 1];
  }
  EXPECT_GT(taken[1] * 10, taken[0] * 8);
}

// A packet of a super-frame, not all of them.
TEST_F(DeviceQueueTest, WhoStandsLosesAPacketNowAndThen) {
  turn_us_ = 2000;  // so slow that the queue stands above its target
  FallBehind(400);
  const uint64_t told = node_->drops(DropReason::kQueueStands);
  EXPECT_GT(told, 5u);
  EXPECT_LT(told, 200u);
  EXPECT_GT(node_->drops(DropReason::kSendQueueFull), 0u)
      << "who does not heed it fills the queue";
  EXPECT_EQ(node_->counters().packets_marked.Get(), 0u);
}

TEST_F(DeviceQueueTest, WhoHeedsMarksIsMarked) {
  turn_us_ = 2000;
  size_t marked = 0;
  for (int i = 0; i < 400; ++i) {
    FallBehind(1, /*ecn=*/2);
    marked += marked_;
  }
  EXPECT_GT(marked, 5u * kBulkSegments);
  EXPECT_EQ(node_->drops(DropReason::kQueueStands), 0u);
}

TEST_F(DeviceQueueTest, WhatItHoldsIsBounded) {
  const unsigned before = rte_mempool_avail_count(TestPool());
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 12; ++j) GiveSuper(kBulkPort);
    Turn();
    if (!tunnel_->empty()) continue;
    EXPECT_LE(before - rte_mempool_avail_count(TestPool()),
              DeviceQueue::kMostBuffers + 9 * kMaxChain);
  }
}

}  // namespace
}  // namespace lwt::testing
