// When it is told that nothing of ours is acknowledged.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/flow/tcp_rig.h"

namespace lwt::test {
namespace {

constexpr uint64_t kOneSecond = 1'000'000;

// How long after the last segment, on a way of this length that loses all from
// then on. Once only.
uint64_t ToldAfter(uint64_t way_us) {
  LinkConfig link;
  link.delay_us = way_us;
  TcpRig rig(RigConfig(1), RigConfig(2), link, 3);
  EXPECT_TRUE(rig.Open());
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(rig.Send(rig.client, 500));
    rig.RunTo(rig.now_us + 3 * way_us);
  }
  EXPECT_EQ(rig.client.unanswered, 0u);
  rig.filter = [](const wire::FrameView&) { return false; };
  EXPECT_TRUE(rig.Send(rig.client, 500));
  const uint64_t from_us = rig.now_us;
  EXPECT_TRUE(rig.RunUntil(30 * kOneSecond,
                           [&] { return rig.client.unanswered != 0; }));
  const uint64_t took_us = rig.now_us - from_us;
  rig.RunTo(rig.now_us + 30 * kOneSecond);
  EXPECT_EQ(rig.client.unanswered, 1u);
  return took_us;
}

TEST(UnansweredTest, AfterThreeTimeoutsOnAShortWay) {
  const uint64_t took_us = ToldAfter(10'000);
  EXPECT_GT(took_us, kOneSecond);
  EXPECT_LT(took_us, 3 * kOneSecond);
}

// Three of them would take twenty seconds, and a tunnel waits for the word.
TEST(UnansweredTest, AfterTheFirstOneOnALongWay) {
  EXPECT_LT(ToldAfter(1'200'000), 6 * kOneSecond);
}

}  // namespace
}  // namespace lwt::test
