// The IPv6 flow label of each end of a flow: one for its whole life, but that
// a timeout draws another, as a kernel does.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "dataplane/wire/be.h"
#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

OuterTcp::Config LabelConfig(uint8_t secret) {
  OuterTcp::Config config = SmallConfig();
  config.secret = {secret};
  return config;
}

class FlowLabelTest : public testing::Test {
 protected:
  FlowLabelTest() : rig_(LabelConfig(1), LabelConfig(2), {}, 1) {
    rig_.observer = [this](const TcpRig::Side& from, const Frame& frame) {
      const uint32_t word = wire::LoadBe32(&frame.bytes[14]);
      labels_[&from].push_back(word & 0xfffff);
    };
  }

  bool Open() { return rig_.Open("[2001:db8::1]:40000", "[2001:db8::2]:9000"); }

  // The labels that an end sent, in their order, each once in a row.
  std::vector<uint32_t> Labels(const TcpRig::Side& side) {
    std::vector<uint32_t> labels = labels_[&side];
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    return labels;
  }

  TcpRig rig_;
  std::map<const TcpRig::Side*, std::vector<uint32_t>> labels_;
};

TEST_F(FlowLabelTest, IsOneFromSynToFinWithRepairWithoutTimeout) {
  ASSERT_TRUE(Open());
  int count = 0;
  rig_.filter = [&count](const wire::FrameView& frame) {
    return frame.tcp.payload.empty() || ++count % 10 != 0;
  };
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(rig_.Send(rig_.client, 1000));
    ASSERT_TRUE(rig_.Send(rig_.hub, 1000));
    rig_.FlushBoth();
    rig_.RunTo(rig_.now_us + 2000);
  }
  rig_.filter = nullptr;
  ASSERT_TRUE(rig_.RunUntil(1'000'000, [this] {
    return rig_.Complete(rig_.client) && rig_.Complete(rig_.hub);
  }));
  EXPECT_GT(rig_.client.tcp->Stats(rig_.client.flow)->segments_retransmitted,
            5u);
  rig_.client.tcp->Close(rig_.client.flow, rig_.now_us);
  rig_.hub.tcp->Close(rig_.hub.flow, rig_.now_us);
  rig_.FlushBoth();
  rig_.RunTo(rig_.now_us + 100'000);
  const std::vector<uint32_t> client = Labels(rig_.client);
  const std::vector<uint32_t> hub = Labels(rig_.hub);
  ASSERT_EQ(client.size(), 1u);
  ASSERT_EQ(hub.size(), 1u);
  EXPECT_NE(client[0], 0u);
  EXPECT_NE(hub[0], 0u);
  EXPECT_NE(client[0], hub[0]);
}

TEST_F(FlowLabelTest, ChangesWithEachSynThatIsSentAgain) {
  int lost = 0;
  rig_.filter = [&lost](const wire::FrameView& frame) {
    return !frame.tcp.Has(wire::kSyn) || ++lost > 2;
  };
  ASSERT_TRUE(Open());
  EXPECT_EQ(Labels(rig_.client).size(), 3u) << "three SYNs";
  EXPECT_EQ(Labels(rig_.hub).size(), 1u);
}

TEST_F(FlowLabelTest, ChangesWithATimeoutAndNotWithAProbe) {
  ASSERT_TRUE(Open());
  const uint32_t first = labels_[&rig_.client].back();
  labels_.clear();
  int lost = 0;
  rig_.filter = [&lost](const wire::FrameView& frame) {
    return frame.tcp.payload.empty() || ++lost > 2;
  };
  ASSERT_TRUE(rig_.Send(rig_.client, 1000));
  rig_.FlushBoth();
  ASSERT_TRUE(
      rig_.RunUntil(3'000'000, [this] { return rig_.Complete(rig_.client); }));
  const std::vector<uint32_t> sent = labels_[&rig_.client];
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0], first);
  EXPECT_EQ(sent[1], first) << "the probe";
  EXPECT_NE(sent[2], first) << "the timeout";
  EXPECT_EQ(Labels(rig_.hub).size(), 1u);
}

}  // namespace
}  // namespace lwt::test
