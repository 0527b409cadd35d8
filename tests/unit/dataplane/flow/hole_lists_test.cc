// Who gets a longer list of holes: there are few of them for a worker.
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint16_t kHoleSegment = 100;

// Sends 400 segments, of which the path loses every other one for good.
uint64_t LongListsOf(TcpRig& rig) {
  std::optional<wire::TcpSeq> first;
  rig.filter = [&first](const wire::FrameView& frame) {
    if (frame.destination.port != 9000 || frame.tcp.payload.empty()) {
      return true;
    }
    if (!first) first = frame.tcp.seq;
    return (frame.tcp.seq - *first) / kHoleSegment % 2 != 0;
  };
  for (int i = 0; i < 400; ++i) {
    EXPECT_TRUE(rig.Send(rig.client, kHoleSegment));
    rig.RunTo(rig.now_us + 50);
  }
  rig.RunTo(rig.now_us + 50'000);
  return rig.hub.tcp->totals().long_lists;
}

TEST(HoleListsTest, AProvenFlowOfManyHolesGetsALongList) {
  TcpRig rig(RigConfig(1), RigConfig(2), LinkConfig{}, 5);
  ASSERT_TRUE(rig.Open());
  EXPECT_EQ(LongListsOf(rig), 1u);
}

// 32 strangers once took them all.
TEST(HoleListsTest, AStrangerGetsNone) {
  TcpRig rig(RigConfig(1), RigConfig(2), LinkConfig{}, 5);
  rig.prove_hub = false;
  ASSERT_TRUE(rig.Open());
  EXPECT_EQ(LongListsOf(rig), 0u);
}

}  // namespace
}  // namespace lwt::test
