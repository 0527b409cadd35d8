// A stream (a handshake) is repaired whatever becomes of records: without
// retransmission, and beyond the age at which records are given up.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint64_t kStreamSize = 3000;  // three segments

OuterTcp::Config StreamConfig(uint8_t seed, bool retransmit) {
  OuterTcp::Config config = RigConfig(seed);
  config.retransmit = retransmit;
  return config;
}

class StreamTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(rig_.Open()); }

  // Its first sending is lost.
  bool SendStream() {
    std::vector<uint8_t> bytes(kStreamSize);
    for (uint64_t i = 0; i < kStreamSize; ++i) bytes[i] = StreamByte(i);
    TxBatch batch;
    const bool sent = rig_.client.tcp->SendStream(rig_.client.flow, bytes,
                                                  rig_.now_us, batch);
    EXPECT_EQ(Drain(batch).size(), 3u);
    return sent;
  }
  // Whether the hub got all of the stream, each byte.
  bool HubHasStream() const {
    uint64_t reached = 0;
    for (const auto& [begin, end] : rig_.hub.delivered) {
      if (begin <= reached) reached = std::max(reached, end);
    }
    return reached >= kStreamSize;
  }
  uint64_t SentAgain() const {
    return rig_.client.tcp->Stats(rig_.client.flow)->segments_retransmitted;
  }
  void LosePayloadFor(uint64_t time_us) {
    rig_.filter = [](const wire::FrameView& view) {
      return view.tcp.payload.empty();
    };
    rig_.RunTo(rig_.now_us + time_us);
    rig_.filter = nullptr;
  }

  TcpRig rig_{StreamConfig(1, GetParam()), StreamConfig(2, GetParam()),
              LinkConfig{}, 7};
};

TEST_P(StreamTest, LostWholeIsSentAgain) {
  ASSERT_TRUE(SendStream());
  ASSERT_TRUE(rig_.RunUntil(5'000'000, [this] { return HubHasStream(); }));
  EXPECT_GE(SentAgain(), 3u);
}

TEST_P(StreamTest, IsNotGivenUpAsRecordsAre) {
  ASSERT_TRUE(SendStream());
  LosePayloadFor(6'000'000);
  EXPECT_FALSE(HubHasStream());
  EXPECT_EQ(rig_.client.tcp->ForwardPoint(rig_.client.flow), 0u);
  ASSERT_TRUE(rig_.RunUntil(6'000'000, [this] { return HubHasStream(); }));
}

TEST_P(StreamTest, RecordsBehindItFollowTheirOwnRule) {
  ASSERT_TRUE(SendStream());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(rig_.Send(rig_.client, 1000));
  ASSERT_TRUE(rig_.RunUntil(5'000'000, [this] { return HubHasStream(); }));
  const uint64_t before = SentAgain();
  int count = 0;
  rig_.filter = [&count](const wire::FrameView& view) {
    return view.tcp.payload.empty() || ++count % 5 != 0;
  };
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(rig_.Send(rig_.client, 1000));
    rig_.FlushBoth();
    rig_.RunTo(rig_.now_us + 2000);
  }
  rig_.RunTo(rig_.now_us + 2'000'000);
  EXPECT_EQ(SentAgain() > before, GetParam());
  EXPECT_EQ(rig_.client.tcp->Stats(rig_.client.flow)->segments_given_up > 0,
            !GetParam());
}

INSTANTIATE_TEST_SUITE_P(Retransmission, StreamTest, testing::Bool());

}  // namespace
}  // namespace lwt::test
