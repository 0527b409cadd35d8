// Whose records give way where a worker keeps no more.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint32_t kMostKept = 512;
constexpr uint16_t kRecordBytes = 100;

OuterTcp::Config ShareConfig() {
  OuterTcp::Config config = RigConfig(1);
  config.arena_bytes = kMostKept * SentArena::kSegmentBytes;
  return config;
}

// A worker with some flows whose peers acknowledge nothing.
class SentShares : public testing::Test {
 protected:
  void Open(uint32_t flows) {
    for (uint32_t i = 0; i < flows; ++i) {
      rig_.client.established = false;
      rig_.hub.established = false;
      const std::string from = "192.0.2.1:" + std::to_string(40'000 + i);
      ASSERT_TRUE(rig_.Open(from.c_str()));
      flows_.push_back(rig_.client.flow);
    }
  }

  // As many records as the peer's window takes, `count` at most.
  void Send(size_t flow, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      rte_mbuf* record = StreamMbuf(0, kRecordBytes);
      rig_.client.tcp->Encapsulate(flows_[flow], record, true, rig_.now_us);
      rte_pktmbuf_free(record);
    }
  }

  uint64_t Sent(size_t flow) {
    return rig_.client.tcp->Stats(flows_[flow])->segments_sent;
  }
  uint64_t GivenUp(size_t flow) {
    return rig_.client.tcp->Stats(flows_[flow])->segments_given_up;
  }

 private:
  TcpRig rig_{ShareConfig(), RigConfig(2), {}, 1};
  std::vector<FlowId> flows_;
};

TEST_F(SentShares, AFlowAloneHasAll) {
  Open(1);
  Send(0, kMostKept);
  EXPECT_EQ(Sent(0), kMostKept);
  EXPECT_EQ(GivenUp(0), 0u);
  Send(0, 1);
  EXPECT_GT(GivenUp(0), 0u);
}

TEST_F(SentShares, FlowsThatAcknowledgeNothingTakeNobodysHalfShare) {
  constexpr uint32_t kFlows = 4;
  constexpr uint32_t kHalfShare = kMostKept / kFlows / 2;
  Open(kFlows);
  Send(0, kHalfShare);  // before all others
  for (uint32_t round = 0; round < 20; ++round) {
    for (size_t greedy = 1; greedy < kFlows; ++greedy) Send(greedy, 30);
  }
  ASSERT_GT(Sent(1) + Sent(2) + Sent(3), 2u * kMostKept);
  EXPECT_EQ(Sent(0), kHalfShare);
  EXPECT_EQ(GivenUp(0), 0u);
  for (size_t greedy = 1; greedy < kFlows; ++greedy) {
    EXPECT_GT(GivenUp(greedy), 0u);
  }
}

}  // namespace
}  // namespace lwt::test
